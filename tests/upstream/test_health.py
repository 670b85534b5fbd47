"""The health of one backend as several workers see it."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from spliceproxy import reasons
from spliceproxy.ipc.health_cells import Admin, BackendOrderCell, backend_orders_row_name
from spliceproxy.ipc.rows import BackendCell
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.policy.balance.state import BackendState
from spliceproxy.settings.health import EjectionSettings, HealthCheckSettings
from spliceproxy.settings.pool import PoolSettings
from spliceproxy.upstream.health import BackendHealth, claim_rows, judging

POOL = PoolSettings(health_check=HealthCheckSettings(rise=2, fall=2), ejection=EjectionSettings())


@pytest.fixture
def table() -> Iterator[SharedTable]:
    with closing(SharedTable(4)) as table:
        yield table


def worker(table: SharedTable, settings: PoolSettings = POOL) -> tuple[BackendHealth, BackendState]:
    state = BackendState(0, "b:1", weight=3)
    judged = judging("r", settings)
    return BackendHealth(judged, state, *claim_rows(judged, "b:1", table)), state


def look(health: BackendHealth) -> bool:
    return health.look(time.monotonic())


def test_what_the_checker_finds_all_know_and_it_alone_tells(table: SharedTable) -> None:
    checker, own = worker(table)
    other, theirs = worker(table)
    with capture_logs() as log:
        checker.checked("backend_refused")
        assert [own.up, theirs.up] == [False, True]
        assert look(other)
        assert [own.up, theirs.up, other.lost] == [False, False, True]
        assert not look(other), "nothing is new"
        checker.checked("")
        checker.checked("")
        look(other)
        assert [own.up, theirs.up, other.lost] == [True, True, False]
    assert [(line["event"], line["reason"]) for line in log] == [
        ("backend_down", "check failed: backend_refused"),
        ("backend_up", "check passed"),
    ]


@pytest.mark.parametrize("why", sorted(reasons.OWN))
def test_what_this_machine_lacks_says_nothing_of_a_backend(table: SharedTable, why: str) -> None:
    health, state = worker(table)
    with capture_logs() as log:
        for _ in range(9):
            health.checked(why)
            health.connect_failed(why)
            look(health)
        assert (state.up, state.ejected, health.lost, health.suspect) == (True, False, False, False)
        assert time.monotonic() + 1 < health.check_due_s() < time.monotonic() + 3
        health.checked("backend_refused")
        assert not state.up, "the first check that could be made"
        health.checked(why)
        assert not state.up
        _, theirs = worker(table)
        assert not theirs.up
    assert [(line["event"], line["reason"]) for line in log] == [
        ("check_not_made", why),
        ("backend_down", "check failed: backend_refused"),
        ("check_not_made", why),
    ]


def test_a_successor_takes_over(table: SharedTable) -> None:
    worker(table)[0].checked("backend_refused")
    successor, state = worker(table)
    assert not state.up
    assert successor.check_due_s() > time.monotonic() + 1
    other_rules = PoolSettings(health_check=HealthCheckSettings(send=b"x", expect=b"y"))
    fresh, state = worker(table, other_rules)
    assert state.up
    assert fresh.check_due_s() <= time.monotonic()


def test_an_ejection_is_everybodys(table: SharedTable) -> None:
    one, own = worker(table)
    other, theirs = worker(table)
    with capture_logs() as log:
        for _ in range(3):
            one.connect_failed("backend_refused")
        look(other)
        assert (own.up, own.ejected, theirs.up, theirs.ejected) == (False, True, False, True)
        assert not other.lost, "live connections go on"
        # Time does the rest; the one who ejected it tells.
        later_s = time.monotonic() + 10
        assert other.look(later_s)
        assert one.look(later_s)
        assert (own.up, theirs.up) == (True, True)
    assert [line["event"] for line in log] == ["backend_ejected", "backend_up"]


def test_passed_checks_end_an_ejection(table: SharedTable) -> None:
    one, own = worker(table)
    checker, _ = worker(table)
    with capture_logs() as log:
        for _ in range(3):
            one.connect_failed("backend_refused")
        look(checker)
        checker.checked("")
        checker.checked("")
        look(one)
    assert own.up
    assert [line["event"] for line in log] == ["backend_ejected", "backend_up"]


def test_transitions_are_counted_by_who_finds_them_out(table: SharedTable) -> None:
    counted: list[tuple[str, int]] = []
    judged = judging("r", POOL)
    state = BackendState(0, "b:1", weight=3)
    rows = claim_rows(judged, "b:1", table)
    one = BackendHealth(judged, state, *rows, count=lambda *told: counted.append(told))
    other, _ = worker(table)
    for _ in range(3):
        one.connect_failed("backend_refused")
    one.look(time.monotonic() + 10)
    one.checked("backend_refused")
    one.checked("backend_refused")
    other.checked("")
    other.checked("")
    look(one)
    assert counted == [
        ("b:1", BackendCell.EJECTED),
        ("b:1", BackendCell.WENT_UP),
        ("b:1", BackendCell.WENT_DOWN),
    ]


def test_a_connect_that_succeeds_starts_the_count_anew(table: SharedTable) -> None:
    health, state = worker(table)
    for _ in range(4):
        health.connect_failed("backend_refused")
        health.connect_failed("backend_refused")
        assert health.suspect
        health.connect_succeeded()
        assert not health.suspect
    assert state.up


def test_probation_ends_for_those_too_who_have_not_ejected(
    table: SharedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = worker(table)
    other, theirs = worker(table)
    for _ in range(3):
        one.connect_failed("backend_refused")
    look(other)
    other.connect_succeeded()
    assert other.suspect, "it was under way when the ejection began, and says nothing of after it"
    later_s = time.monotonic() + 3600
    monkeypatch.setattr(time, "monotonic", lambda: later_s)
    look(other)
    assert theirs.up
    assert other.suspect, "else nobody would tell it of the next success"
    other.connect_succeeded()
    other.connect_failed("backend_refused")
    assert theirs.up, "one failure, after a success, is not three"


def test_ejection_can_be_turned_off(table: SharedTable) -> None:
    health, state = worker(table, PoolSettings(ejection=EjectionSettings(enabled=False)))
    for _ in range(9):
        health.connect_failed("backend_refused")
    assert state.up


@pytest.mark.parametrize(("order", "lost"), [(Admin.DRAIN, False), (Admin.DISABLED, True)])
def test_orders_of_the_operator(table: SharedTable, order: Admin, lost: bool) -> None:
    health, state = worker(table)
    row = table.claim(backend_orders_row_name("r", "b:1"))
    row.cells[BackendOrderCell.ADMIN] = order
    row.cells[BackendOrderCell.WEIGHT] = 7
    assert look(health)
    assert (state.up, state.ejected, state.weight, health.lost) == (False, False, 7, lost)
    row.cells[BackendOrderCell.ADMIN] = Admin.NORMAL
    row.cells[BackendOrderCell.WEIGHT] = 0
    look(health)
    assert (state.up, state.weight, health.lost) == (True, 3, False)


def test_a_full_table_leaves_each_worker_to_itself(table: SharedTable) -> None:
    for number in range(4):
        table.claim(f"other {number}")
    with capture_logs() as log:
        health, state = worker(table)
        health.checked("backend_refused")
    assert not state.up
    assert log[0]["event"] == "shared_table_full"
