"""Counting with tallies of several workers, and reading the sums."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from structlog.testing import capture_logs

from spliceproxy.ipc.description import (
    BackendDescription,
    Description,
    MirrorDescription,
    RouteDescription,
)
from spliceproxy.ipc.rows import Kind, MirrorCell, MirrorCondition, WorkerCell, WorkerState
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.observe.status import MirrorStatus, RouteStatus
from spliceproxy.observe.status_reader import StatusReader
from spliceproxy.observe.tally import MirrorTally, RouteTally, Tally, Traffic

WEB = RouteDescription(
    name="web",
    listeners=("127.0.0.1:8080",),
    balance="round_robin",
    backends=(BackendDescription("10.0.0.1:80"),),
    mirrors=(MirrorDescription("null:", "both", "detach", 1.0),),
)
PROXY = Description(
    pid=1,
    started=0.0,
    generation=0,
    draining=False,
    reloads_succeeded=0,
    reloads_refused=0,
    last_reload="",
    log_level="info",
    routes=(WEB,),
)


@dataclass(eq=False)
class Stream:
    offered_bytes: int = 0
    delivered_bytes: int = 0
    dropped_bytes: int = 0
    held_bytes: int = 0
    reason: str = ""
    answers: "Stream | None" = None


@pytest.fixture
def table() -> Iterator[SharedTable]:
    table = SharedTable(200)
    yield table
    table.close()


def web(table: SharedTable) -> RouteStatus:
    return StatusReader(table).status(PROXY).routes[0]


def mirror(table: SharedTable) -> MirrorStatus:
    return web(table).mirrors[0]


def record(request_bytes: int, response_bytes: int, reason: str = "closed") -> ConnectionRecord:
    record = ConnectionRecord("web", "127.0.0.1:8080", "127.0.0.1:1", backend="10.0.0.1:80")
    record.request_bytes, record.response_bytes = request_bytes, response_bytes
    record.spliced_bytes = request_bytes + response_bytes
    record.duration_s, record.reason = 0.5, reason
    return record


def test_nothing_has_happened_yet(table: SharedTable) -> None:
    status = StatusReader(table).status(PROXY)
    assert status.workers == []
    assert (status.active, web(table).ended, web(table).duration_seconds.count) == (0, {}, 0)


def test_workers_add_up(table: SharedTable) -> None:
    for slot, reason in ((0, "closed"), (1, "closed"), (2, "idle_timeout")):
        tally = RouteTally(Tally(table, slot), "web", 100)
        tally.accepted()
        tally.backend("10.0.0.1:80").connected(0.001)
        tally.ended(slot, record(10, 20, reason), "10.0.0.1:80")
        tally.over()
    route = web(table)
    assert (route.accepted, route.active, route.limit, route.mirroring) == (3, 0, 300, 0)
    assert route.ended == {"closed": 2, "idle_timeout": 1}
    assert (route.request_bytes, route.response_bytes, route.spliced_bytes) == (30, 60, 90)
    assert (route.duration_seconds.count, route.duration_seconds.sum_s) == (3, 1.5)
    backend = route.backends[0]
    assert (backend.connections, backend.active, backend.request_bytes) == (3, 0, 30)
    assert backend.connect_seconds.count == 3


def test_a_limit_of_the_settings_is_no_sum(table: SharedTable) -> None:
    for slot in range(3):
        RouteTally(Tally(table, slot), "web", 100)
    limits = {}
    for limit in (None, 100, 1000):
        described = replace(PROXY, routes=(replace(PROXY.routes[0], limit=limit),))
        limits[limit] = StatusReader(table).status(described).routes[0].limit
    assert limits == {None: 300, 100: 100, 1000: 300}


def find(
    table: SharedTable,
    slot: int,
    state: WorkerState,
    condition: MirrorCondition,
    since_s: float,
    reason: str,
) -> None:
    """Have a worker say how it finds the mirror."""
    tally = Tally(table, slot)
    tally.cells(Kind.WORKER)[WorkerCell.STATE] = state
    MirrorTally(tally, "web", "null:").tell(condition, since_s, reason)


def test_a_mirror_is_as_the_worst_worker_finds_it_that_accepts(table: SharedTable) -> None:
    assert (mirror(table).state, mirror(table).since) == ("ok", 0)
    find(table, 3, WorkerState.DRAINING, MirrorCondition.FAILING, 2.0, "old")
    assert (mirror(table).state, mirror(table).reason) == ("failing", "old")
    find(table, 0, WorkerState.SERVING, MirrorCondition.OK, 1.0, "")
    assert (mirror(table).state, mirror(table).reason) == ("ok", "")
    find(table, 1, WorkerState.SERVING, MirrorCondition.BEHIND, 5.0, "budget_full")
    assert (mirror(table).state, mirror(table).is_on) == ("behind", True)
    find(table, 2, WorkerState.SERVING, MirrorCondition.FAILING, 9.0, "later")
    find(table, 4, WorkerState.SERVING, MirrorCondition.FAILING, 8.0, "earlier")
    told = mirror(table)
    assert (told.state, told.reason, told.since) == ("failing", "earlier", 8)


def test_an_open_connection_counts_while_it_moves_and_once(table: SharedTable) -> None:
    tally = RouteTally(Tally(table, 0), "web", 100)
    tally.accepted()
    tally.backend("10.0.0.1:80").connected(0.001)
    tally.moved("it", "10.0.0.1:80", Traffic(5, 6, 11, 0))
    assert (web(table).request_bytes, web(table).response_bytes, web(table).active) == (5, 6, 1)
    tally.moved("it", "10.0.0.1:80", Traffic(7, 8, 15, 0))
    tally.ended("it", record(9, 10), "10.0.0.1:80")
    assert (web(table).request_bytes, web(table).response_bytes) == (9, 10)
    assert web(table).spliced_bytes == 19


def test_who_takes_a_dead_workers_place_counts_on(table: SharedTable) -> None:
    dead = RouteTally(Tally(table, 0), "web", 100)
    dead.accepted()
    dead.backend("10.0.0.1:80").connected(0.001)
    dead.moved("it", "10.0.0.1:80", Traffic(5, 6, 11, 0))
    heir = RouteTally(Tally(table, 0), "web", 100)
    heir.backend("10.0.0.1:80")
    route = web(table)
    assert (route.accepted, route.active, route.request_bytes) == (1, 0, 5)
    assert (route.backends[0].connections, route.backends[0].active) == (1, 0)


def test_failed_connects_and_refusals_are_counted_by_reason(table: SharedTable) -> None:
    tally = RouteTally(Tally(table, 0), "web", 100)
    for _ in range(3):
        tally.backend("10.0.0.1:80").failed.add("backend_refused")
    tally.refused.add("denied")
    assert web(table).backends[0].failed == {"backend_refused": 3}
    assert web(table).refused == {"denied": 1}


def test_a_mirrors_stream_counts_while_it_moves_and_once(table: SharedTable) -> None:
    tally = MirrorTally(Tally(table, 0), "web", "null:")
    stream = Stream()
    tally.opened(stream)
    stream.offered_bytes, stream.delivered_bytes, stream.held_bytes = 10, 4, 6
    tally.look()
    found = mirror(table)
    assert (found.streams, found.open, found.lag_bytes) == (1, 1, 6)
    assert (found.offered_bytes, found.delivered_bytes, found.dropped) == (10, 4, {})
    stream.dropped_bytes, stream.held_bytes, stream.reason = 6, 0, "buffer_full"
    tally.ended(stream)
    tally.look()
    found = mirror(table)
    assert (found.open, found.incomplete, found.lag_bytes, found.dropped_bytes) == (0, 1, 0, 6)
    assert found.dropped == {"buffer_full": 6}


def test_a_worker_that_is_gone_is_not_listed(table: SharedTable) -> None:
    cells = Tally(table, 4).cells(Kind.WORKER)
    cells[WorkerCell.STATE], cells[WorkerCell.PID] = WorkerState.DRAINING, 42
    worker = StatusReader(table).status(PROXY).workers[0]
    assert (worker.slot, worker.pid, worker.state) == (4, 42, "draining")
    cells[WorkerCell.STATE] = WorkerState.FREE
    assert StatusReader(table).status(PROXY).workers == []


def test_a_reader_sees_rows_that_come_later(table: SharedTable) -> None:
    reader = StatusReader(table)
    assert reader.status(PROXY).routes[0].accepted == 0
    RouteTally(Tally(table, 0), "web", 1).accepted()
    assert reader.status(PROXY).routes[0].accepted == 1


def test_the_status_is_values_that_json_knows(table: SharedTable) -> None:
    status = StatusReader(table).status(PROXY).as_json()
    assert status["routes"][0]["backends"][0]["name"] == "10.0.0.1:80"


def test_counting_goes_on_when_no_row_is_left() -> None:
    table = SharedTable(1)
    with capture_logs() as log:
        tally = Tally(table, 0)
        tally.cells(Kind.WORKER)
        for route in ("one", "two"):
            tally.cells(Kind.MIRROR, route, "null:")[MirrorCell.STREAMS] += 1
    table.close()
    assert [line["event"] for line in log] == ["shared_table_full"]
