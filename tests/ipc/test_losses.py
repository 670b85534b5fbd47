"""What a dead worker has left: the books balance wherever its end came between two additions."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from spliceproxy.ipc.losses import Losses, settle
from spliceproxy.ipc.rows import COUNT, Kind, MirrorCell, RouteCell, WorkerCell
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.observe.tally import Tally


@pytest.fixture
def tally() -> Iterator[Tally]:
    with closing(SharedTable(200)) as table:
        yield Tally(table, 3)


def settled(tally: Tally) -> Losses:
    losses = settle(tally.table, tally.slot)
    assert not settle(tally.table, tally.slot), "all of it was counted"
    return losses


@pytest.mark.parametrize("active", [1, 2, 3])
def test_connections_that_were_open(tally: Tally, active: int) -> None:
    """The gauge may not have been brought up to date; another slot is nobody's business here."""
    route = tally.cells(Kind.ROUTE, "web")
    route[RouteCell.ACCEPTED], route[RouteCell.ACTIVE] = 10, active
    tally.cells(Kind.ENDED, "web", "closed")[COUNT] = 7
    tally.cells(Kind.ENDED, "web", "idle_timeout")[COUNT] = 1
    Tally(tally.table, 4).cells(Kind.ROUTE, "web")[RouteCell.ACCEPTED] = 99
    route[RouteCell.OVER] = 8
    assert settled(tally).describe() == {
        "connections_lost": {"web": 2},
        "connections_untold": {},
        "mirror_bytes_lost": {},
        "log_lines_lost": 0,
    }
    assert tally.cells(Kind.ENDED, "web", "worker_lost")[COUNT] == 2


def test_connections_that_waited_for_their_mirrors(tally: Tally) -> None:
    route = tally.cells(Kind.ROUTE, "web")
    for accepted, over in ((10, 6), (20, 9)):  # twice: the slot is taken over
        route[RouteCell.ACCEPTED] = accepted
        tally.cells(Kind.ENDED, "web", "closed")[COUNT] = accepted
        route[RouteCell.OVER] = over
        assert settled(tally).untold["web"] == accepted - over - (4 if accepted == 20 else 0)
    assert route[RouteCell.UNTOLD] == 11
    assert tally.cells(Kind.ENDED, "web", "worker_lost")[COUNT] == 0


def test_lost_connections_are_never_untold(tally: Tally) -> None:
    route = tally.cells(Kind.ROUTE, "web")
    route[RouteCell.ACCEPTED] = 5
    assert settled(tally).connections == {"web": 5}
    assert route[RouteCell.UNTOLD] == 0


@pytest.mark.parametrize("told", [0, 300])
def test_bytes_that_a_mirror_had_queued(tally: Tally, told: int) -> None:
    """The sum over the reasons is what counts: the kill may have come between it and its parts."""
    mirror = tally.cells(Kind.MIRROR, "web", "null:")
    mirror[MirrorCell.OFFERED_BYTES], mirror[MirrorCell.DELIVERED_BYTES] = 1000, 400
    mirror[MirrorCell.DROPPED_BYTES], mirror[MirrorCell.OPEN] = 300, 2
    mirror[MirrorCell.INCOMPLETE] = 1
    tally.cells(Kind.DROPPED, "web", "null:", "buffer_full")[COUNT] = told
    assert settled(tally).mirror_bytes == {"web null:": 600 - told}
    assert tally.cells(Kind.DROPPED, "web", "null:", "worker_lost")[COUNT] == 600 - told
    assert mirror[MirrorCell.DROPPED_BYTES] == 600
    assert (mirror[MirrorCell.OPEN], mirror[MirrorCell.INCOMPLETE]) == (0, 3)


def test_answers_that_were_not_recorded(tally: Tally) -> None:
    mirror = tally.cells(Kind.MIRROR, "web", "tcp://a:1")
    mirror[MirrorCell.ANSWER_BYTES], mirror[MirrorCell.ANSWER_RECORDED_BYTES] = 10, 7
    mirror[MirrorCell.ANSWER_LOST_BYTES] = 1
    settle(tally.table, tally.slot)
    assert mirror[MirrorCell.ANSWER_LOST_BYTES] == 3


def test_lines_that_were_not_written(tally: Tally) -> None:
    worker = tally.cells(Kind.WORKER)
    worker[WorkerCell.LOG_LINES_PENDING], worker[WorkerCell.LOG_LINES_DROPPED] = 4, 3
    assert settled(tally).log_lines == 4
    assert worker[WorkerCell.LOG_LINES_PENDING] == 0
    assert worker[WorkerCell.LOG_LINES_DROPPED] == 7


def test_a_log_line_names_the_largest(tally: Tally) -> None:
    for number in range(40):
        tally.cells(Kind.ROUTE, f"r{number}")[RouteCell.ACCEPTED] = number + 1
    told = settled(tally).describe()["connections_lost"]
    assert isinstance(told, dict)
    assert len(told) == 21
    assert told["r39"] == 40
    assert sum(told.values()) == sum(range(1, 41))
