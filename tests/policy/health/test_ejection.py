import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.backoff import Backoff
from spliceproxy.policy.health.ejection import Ejection, EjectionRules

RULES = EjectionRules(Backoff(first_s=1.0, longest_s=8.0), after=3, jitter=0.1)


def fail(ejection: Ejection, now_s: float, times: int = 1) -> None:
    for _ in range(times):
        ejection.on_failure(RULES, now_s, 0.5, "refused")


def test_failures_in_a_row_eject() -> None:
    ejection = Ejection()
    fail(ejection, 10.0, 2)
    ejection.on_success(10.0)
    fail(ejection, 10.0, 2)
    assert not ejection.ejected(10.0)
    fail(ejection, 10.0)
    assert ejection.ejected(10.0)
    assert ejection.until_s == 11.0
    assert not ejection.ejected(11.0)


def test_those_that_fail_together_eject_once() -> None:
    ejection = Ejection()
    fail(ejection, 10.0, 100)
    assert ejection.until_s == 11.0


def test_on_probation_one_failure_ejects_for_longer_up_to_a_limit() -> None:
    ejection = Ejection()
    fail(ejection, 0.0, 3)
    lengths = []
    for _ in range(5):
        start_s = ejection.until_s
        fail(ejection, start_s)
        lengths.append(ejection.until_s - start_s)
    assert lengths == [2.0, 4.0, 8.0, 8.0, 8.0]


def test_a_success_ends_the_probation_but_not_the_back_off() -> None:
    ejection = Ejection()
    fail(ejection, 0.0, 3)
    ejection.on_success(1.0)
    fail(ejection, 1.5, 2)
    assert not ejection.ejected(1.5)
    fail(ejection, 1.5)
    assert ejection.until_s == 3.5


def test_the_back_off_starts_over_after_a_good_time() -> None:
    ejection = Ejection()
    fail(ejection, 0.0, 3)
    ejection.on_success(1.0)
    fail(ejection, 9.0, 3)
    assert ejection.until_s == 10.0


def test_a_success_while_ejected_began_before() -> None:
    ejection = Ejection()
    fail(ejection, 0.0, 3)
    ejection.on_success(0.5)
    assert ejection.ejected(0.5)
    assert ejection.on_probation


@pytest.mark.parametrize(("checks", "ejected"), [("+", True), ("+-+", True), ("-++", False)])
def test_checks_passed_in_a_row_end_it_early(checks: str, ejected: bool) -> None:
    ejection = Ejection()
    ejection.on_check(0.0, 2, passed=True)  # before: does not count
    fail(ejection, 0.0, 3)
    for check in checks:
        ejection.on_check(0.5, 2, passed=check == "+")
    assert ejection.ejected(0.5) is ejected


def test_checks_passed_count_for_one_ejection() -> None:
    ejection = Ejection()
    fail(ejection, 0.0, 3)
    ejection.on_check(0.5, 2, passed=True)
    fail(ejection, 1.0)
    ejection.on_check(1.5, 2, passed=True)
    assert ejection.ejected(1.5)


@given(
    events=st.lists(st.tuples(st.floats(0, 20), st.booleans(), st.floats(0, 1, exclude_max=True)))
)
def test_it_always_ends(events: list[tuple[float, bool, float]]) -> None:
    ejection = Ejection()
    now_s = 0.0
    for pause_s, success, draw in events:
        now_s += pause_s
        if success:
            ejection.on_success(now_s)
        else:
            ejection.on_failure(RULES, now_s, draw, "refused")
        assert ejection.until_s == -math.inf or ejection.until_s - now_s <= 8.0 * 1.1
    assert not ejection.ejected(now_s + 8.0 * 1.1)
