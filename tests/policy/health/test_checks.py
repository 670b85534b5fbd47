import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.health.checks import CheckedState, CheckRules

RULES = CheckRules(interval_s=2.0, rise=2, fall=3, jitter=0.1)


def after(results: str) -> CheckedState:
    """Return the state after checks that passed (+) or failed (-), a second apart."""
    state = CheckedState(due_s=0.0)
    for second, result in enumerate(results):
        state.on_result(RULES, float(second), 0.5, "" if result == "+" else "refused")
    return state


@pytest.mark.parametrize(
    ("results", "up", "reason"),
    [
        ("", True, "not checked yet"),
        ("-", False, "check failed: refused"),  # the first one decides
        ("+", True, "check passed"),
        ("+--", True, "check failed (2 of 3): refused"),
        ("+---", False, "check failed: refused"),
        ("+--+--", True, "check failed (2 of 3): refused"),  # in a row
        ("+---+", False, "check passed (1 of 2)"),
        ("+---+-+", False, "check passed (1 of 2)"),
        ("+---++", True, "check passed"),
        ("-++--", True, "check failed (2 of 3): refused"),
        ("-++---", False, "check failed: refused"),
    ],
)
def test_rise_and_fall(results: str, up: bool, reason: str) -> None:
    state = after(results)
    assert state.up is up
    assert state.reason(RULES) == reason


@given(st.text("+-", min_size=1))
def test_the_end_of_a_long_row_is_all_that_counts(results: str) -> None:
    assert after(results + "++").up
    assert not after(results + "---").up


@pytest.mark.parametrize(("draw", "due_s"), [(0.0, 11.8), (0.5, 12.0), (1.0, 12.2)])
def test_intervals_differ(draw: float, due_s: float) -> None:
    state = CheckedState(due_s=0.0)
    state.on_result(RULES, 10.0, draw, "")
    assert state.due_s == pytest.approx(due_s)
