import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.backoff import Backoff


@pytest.mark.parametrize(
    ("failures", "delay_s"), [(1, 0.1), (2, 0.2), (3, 0.4), (7, 6.4), (8, 10.0), (9, 10.0)]
)
def test_the_delay_doubles_up_to_a_limit(failures: int, delay_s: float) -> None:
    assert Backoff(first_s=0.1, longest_s=10.0).delay_s(failures) == pytest.approx(delay_s)


@given(failures=st.integers(1, 10**9))
def test_no_number_of_failures_is_too_many(failures: int) -> None:
    backoff = Backoff(first_s=0.1, longest_s=10.0)
    assert 0.1 <= backoff.delay_s(failures) <= backoff.delay_s(failures + 1) <= 10.0
