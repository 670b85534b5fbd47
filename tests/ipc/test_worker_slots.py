"""Slots in the shared table: the lowest that is free, and nothing alive is left in it."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from spliceproxy.ipc.rows import COUNT, Kind, MirrorCell, RouteCell, WorkerCell, WorkerState
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.observe.tally import Tally


@pytest.fixture
def table() -> Iterator[SharedTable]:
    with closing(SharedTable(100)) as table:
        yield table


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
    dead.cells(Kind.ROUTE, "web")[RouteCell.ACTIVE] = 7
    dead.cells(Kind.ROUTE, "idle")
    assert slots.free(0) == {"web": 7}
    assert dead.cells(Kind.ENDED, "web", "worker_lost")[COUNT] == 7
    assert slots.free(slots.take()) == {}
    assert dead.cells(Kind.ENDED, "web", "worker_lost")[COUNT] == 7
