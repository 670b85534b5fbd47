"""Clients that wait in several workers for room at the same backends."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.pool import QueueSettings
from spliceproxy.upstream.client_queue import ClientQueue
from spliceproxy.upstream.shared_room import SharedLine
from tests.loop.watching import eventually, running_reactor


class Waits:
    """A client that takes room when there is some."""

    tried = ()

    def __init__(self, worker: "QueueOfWorker") -> None:
        self.worker = worker
        self.served = False

    def retry(self) -> bool:
        self.worker.room[0] -= 1
        self.served = True
        return True


class QueueOfWorker:
    """A worker's queue; the room is that of all workers."""

    def __init__(
        self, reactor: Reactor, table: SharedTable, slot: int, room: list[int], size: int = 10
    ) -> None:
        self.room = room
        line = SharedLine(table, slot, "web")
        settings = QueueSettings(size=size)
        self.queue = ClientQueue(reactor, settings, lambda: room[0] > 0, line)

    def join(self) -> Waits:
        client = Waits(self)
        self.queue.join(client)
        return client


@pytest.fixture
def table() -> Iterator[SharedTable]:
    with closing(SharedTable(100)) as table:
        slots = WorkerSlots(table)
        assert (slots.take(), slots.take()) == (0, 1)
        yield table


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    """One whose clock the test moves; no deadline fires by itself."""
    with closing(Reactor()) as reactor:
        yield reactor


async def test_room_that_nobody_tells_of_is_found(table: SharedTable) -> None:
    room = [0]
    async with running_reactor() as reactor:
        worker = QueueOfWorker(reactor, table, 0, room)
        clients = [worker.join() for _ in range(3)]
        room[0] = 1
        await eventually(lambda: clients[0].served)
        assert not clients[1].served
        room[0] = 2
        await eventually(lambda: clients[2].served)


def test_nobody_looks_when_nobody_waits(reactor: Reactor, table: SharedTable) -> None:
    worker = QueueOfWorker(reactor, table, 0, [1])
    client = worker.join()
    worker.queue.leave(client)
    worker.queue.on_deadline()
    assert worker.queue._timer is None


def test_a_queue_is_full_for_all_workers(reactor: Reactor, table: SharedTable) -> None:
    here, there = (QueueOfWorker(reactor, table, slot, [0], size=3) for slot in (0, 1))
    clients = [here.join(), there.join(), there.join()]
    assert here.queue.full
    assert there.queue.full
    there.queue.leave(clients[1])
    assert not here.queue.full


def test_room_is_left_to_who_has_waited_much_longer_elsewhere(
    reactor: Reactor, table: SharedTable
) -> None:
    room = [0]
    here, there = (QueueOfWorker(reactor, table, slot, room) for slot in (0, 1))
    first = there.join()
    reactor.now_s += 1.0
    second = here.join()
    room[0] = 1
    here.queue.move_soon()
    assert not second.served
    there.queue.on_deadline()
    assert first.served
    room[0] = 1
    reactor.now_s += 0.1
    here.queue.on_deadline()
    assert second.served


def test_room_that_is_left_in_vain_is_taken(reactor: Reactor, table: SharedTable) -> None:
    """Whoever is to have it may not run, or may have tried that backend."""
    room = [0]
    here, there = (QueueOfWorker(reactor, table, slot, room) for slot in (0, 1))
    there.join()
    reactor.now_s += 1.0
    clients = [here.join() for _ in range(2)]
    room[0] = 2
    here.queue.move_soon()
    here.queue.move_soon()
    assert not clients[0].served
    reactor.now_s += 0.1
    here.queue.on_deadline()
    assert all(client.served for client in clients)


def test_who_has_waited_little_longer_elsewhere_goes_first_there_alone(
    reactor: Reactor, table: SharedTable
) -> None:
    room = [0]
    here, there = (QueueOfWorker(reactor, table, slot, room) for slot in (0, 1))
    there.join()
    reactor.now_s += 0.1
    client = here.join()
    room[0] = 1
    here.queue.move_soon()
    assert client.served
