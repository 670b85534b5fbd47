"""How a drain spreads the ends of connections over the last part of its window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.drain import may_stay, spread_from_s

WINDOW_S = 30.0


@pytest.mark.parametrize(
    ("count", "elapsed_s", "left"),
    [
        (100, 0, 100),
        (100, 19.9, 100),
        (100, 20, 100),
        (100, 21, 90),
        (100, 25, 50),
        (100, 29.95, 1),
        (100, 30, 0),
        (100, 31, 0),
        (1, 29.9, 1),
        (1, 30, 0),
        (0, 25, 0),
    ],
)
def test_over_time(count: int, elapsed_s: float, left: int) -> None:
    assert may_stay(count, elapsed_s, WINDOW_S) == left


def test_nobody_is_ended_before_the_last_third() -> None:
    assert spread_from_s(WINDOW_S) == pytest.approx(20)


def test_a_window_of_nothing_is_over() -> None:
    assert may_stay(5, 0, 0) == 0


@given(st.integers(0, 10_000), st.floats(0, 100), st.floats(0, 100), st.floats(0.001, 100))
def test_ever_fewer_may_stay(count: int, one_s: float, other_s: float, window_s: float) -> None:
    sooner, later = sorted((one_s, other_s))
    assert count >= may_stay(count, sooner, window_s) >= may_stay(count, later, window_s) >= 0
