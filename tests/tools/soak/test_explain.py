"""What was done to a connection explains how it went, and nothing else does."""

import pytest

from tools.soak.access_lines import Line
from tools.soak.explain import LATE_LINE_S, Troubles, unexplained
from tools.soak.load import Outcome, Visit
from tools.soak.trouble import BackendKill

NOTHING_DONE = Troubles((), (), ())
STARTED, DURING, ENDED = 1000.0, 1005.0, 1010.0
LONG_BEFORE = STARTED - 100
BACKEND, OTHER_BACKEND = "127.0.0.1:80", "127.0.0.1:81"


def visit(outcome: Outcome = Outcome.INTACT, kind: str = "short") -> Visit:
    return Visit("steady", "127.16.0.0", kind, outcome, "", STARTED, ENDED, 10, 20)


def line(reason: str) -> Line:
    return Line(reason, BACKEND, 10, 20)


def killed_backend(address: str, at: float) -> Troubles:
    return Troubles((), (), [BackendKill(address, at)])


@pytest.mark.parametrize(
    ("visited", "told", "troubles"),
    [
        (visit(), line("closed"), NOTHING_DONE),
        (visit(Outcome.CUT), None, Troubles([DURING], (), ())),
        (visit(), None, Troubles([ENDED + LATE_LINE_S / 2], (), ())),
        (visit(Outcome.CUT), line("drain_deadline"), Troubles((), [DURING], ())),
        (visit(Outcome.CUT), line("backend_reset"), killed_backend(BACKEND, DURING)),
        (visit(kind="reset by the backend"), line("backend_reset"), NOTHING_DONE),
        (visit(kind="resetting"), line("client_reset"), NOTHING_DONE),
    ],
)
def test_it_is_right_or_explained(visited: Visit, told: Line | None, troubles: Troubles) -> None:
    assert unexplained(visited, told, troubles) == ""


@pytest.mark.parametrize(
    ("visited", "told", "troubles", "why"),
    [
        (visit(), None, NOTHING_DONE, "no line"),
        (visit(), None, Troubles([LONG_BEFORE], (), ()), "no line"),
        (visit(Outcome.CUT), None, Troubles([ENDED + LATE_LINE_S / 2], (), ()), "no line"),
        (visit(Outcome.CUT), line("closed"), NOTHING_DONE, "closed by its line"),
        (visit(), Line("closed", BACKEND, 10, 19), NOTHING_DONE, "other counts"),
        (visit(kind="resetting"), line("closed"), NOTHING_DONE, "closed by its line"),
        (visit(Outcome.CUT), line("client_reset"), NOTHING_DONE, "client_reset"),
        (visit(Outcome.CUT), line("drain_deadline"), NOTHING_DONE, "drain_deadline"),
        (visit(Outcome.CUT), line("backend_reset"), NOTHING_DONE, "backend_reset"),
        (
            visit(Outcome.CUT),
            line("backend_reset"),
            killed_backend(OTHER_BACKEND, DURING),
            "backend_reset",
        ),
        (
            visit(Outcome.CUT),
            line("backend_reset"),
            killed_backend(BACKEND, LONG_BEFORE),
            "backend_reset",
        ),
        (visit(Outcome.CUT), line("internal_error"), Troubles([DURING], [DURING], ()), "internal"),
        (visit(Outcome.DAMAGED), None, Troubles([DURING], [DURING], ()), "damaged"),
        (visit(Outcome.STUCK), None, Troubles([DURING], [DURING], ()), "stuck"),
    ],
)
def test_it_is_not_explained(
    visited: Visit, told: Line | None, troubles: Troubles, why: str
) -> None:
    assert why in unexplained(visited, told, troubles)
