"""Slots in the shared table: the lowest that is free, and nothing alive is left in it."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from spliceproxy.ipc.master_row import MASTER_ROW
from spliceproxy.ipc.row_lifetime import TOUCH_INTERVAL_S
from spliceproxy.ipc.rows import COUNT, Kind, MirrorCell, RouteCell, WorkerCell, WorkerState
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.table_memory import MAX_HOLDERS
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.observe.tally import RouteTally, Tally
from tests.ipc.tables import Clock, as_another_process_has_it


@pytest.fixture
def table() -> Iterator[SharedTable]:
    with closing(SharedTable(100)) as table:
        yield table


def rows_of_others(table: SharedTable) -> list[str]:
    """The rows but for the master's, which stays."""
    return [row.name for row in table.rows() if row.name != MASTER_ROW]


def test_the_lowest_place_that_is_free(table: SharedTable) -> None:
    slots = WorkerSlots(table)
    assert [slots.take() for _ in range(3)] == [0, 1, 2]
    slots.free(1)
    slots.free(0)
    assert [slots.take() for _ in range(3)] == [0, 1, 3]


def test_what_a_dead_worker_has_left(table: SharedTable) -> None:
    slots = WorkerSlots(table)
    dead, alive = Tally(table, slots.take()), Tally(table, slots.take())
    for tally in (dead, alive):
        tally.cells(Kind.WORKER)[WorkerCell.STATE] = WorkerState.SERVING
        route = tally.cells(Kind.ROUTE, "web")
        route[RouteCell.ACTIVE], route[RouteCell.ACCEPTED] = 7, 9
        mirror = tally.cells(Kind.MIRROR, "web", "null:")
        mirror[MirrorCell.CONDITION] = mirror[MirrorCell.SINCE_US] = 2
        mirror[MirrorCell.LEFT_OUT] = 3
    slots.free(0)
    assert dead.cells(Kind.WORKER)[WorkerCell.STATE] == WorkerState.FREE
    assert alive.cells(Kind.WORKER)[WorkerCell.STATE] == WorkerState.SERVING
    route = dead.cells(Kind.ROUTE, "web")
    assert (route[RouteCell.ACTIVE], route[RouteCell.ACCEPTED]) == (0, 9)
    mirror = dead.cells(Kind.MIRROR, "web", "null:")
    assert (mirror[MirrorCell.CONDITION], mirror[MirrorCell.SINCE_US]) == (0, 0)
    assert mirror[MirrorCell.LEFT_OUT] == 3
    assert alive.cells(Kind.ROUTE, "web")[RouteCell.ACTIVE] == 7


def test_the_last_heartbeat(table: SharedTable) -> None:
    slots = WorkerSlots(table)
    slot = slots.take()
    assert slots.heartbeat_s(slot) == 0.0
    Tally(table, slot).cells(Kind.WORKER)[WorkerCell.HEARTBEAT_US] = 2_500_000
    assert slots.heartbeat_s(slot) == 2.5


def test_connections_of_a_dead_worker_are_counted_as_ended(table: SharedTable) -> None:
    slots = WorkerSlots(table)
    dead = Tally(table, slots.take())
    dead.cells(Kind.ROUTE, "web")[RouteCell.ACCEPTED] = 7
    dead.cells(Kind.ROUTE, "idle")
    assert slots.free(0).connections == {"web": 7}
    assert dead.cells(Kind.ENDED, "web", "worker_lost")[COUNT] == 7
    assert not slots.free(slots.take())
    assert dead.cells(Kind.ENDED, "web", "worker_lost")[COUNT] == 7


def test_a_worker_that_is_buried_holds_nothing(
    table: SharedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, slots = Clock(monkeypatch), WorkerSlots(table)
    processes = [as_another_process_has_it(table) for _ in range(2)]
    held = [
        RouteTally(Tally(process, slots.take()), f"of {slot}", 1)
        for slot, process in enumerate(processes)
    ]
    for count in (2, 1):
        clock.go_on(1.0)
        processes[1].touch(1)
        table.reclaim(kept_s=0.0)
        assert len(rows_of_others(table)) == count
        slots.free(0)  # killed, in the midst of all
    assert rows_of_others(table)[0].endswith("of 1")
    assert len(held) == 2


def test_rows_are_given_back_from_time_to_time(
    table: SharedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, slots = Clock(monkeypatch), WorkerSlots(table)
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s + clock.now_us / 1e6)
    table.claim("gone")
    for hours in range(25):
        clock.go_on(3600.0)
        slots.take()
        slots.tend()
        assert bool(rows_of_others(table)) == (hours < 24)
        slots.free(0)
    table.claim("gone")
    clock.go_on(TOUCH_INTERVAL_S / 2)
    slots.take()
    WorkerSlots(table, kept_s=0.0).tend()
    assert rows_of_others(table) == []


def test_there_are_only_so_many_slots(table: SharedTable) -> None:
    slots = WorkerSlots(table)
    taken = [slots.take() for _ in range(MAX_HOLDERS)]
    with pytest.raises(OSError, match="workers"):
        slots.take()
    slots.free(7)
    assert slots.take() == 7
    assert len(taken) == MAX_HOLDERS
