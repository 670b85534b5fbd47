"""What a client has of all workers together."""

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from spliceproxy.ipc.client_areas import CONNECTIONS, WAYS, AreaPart
from spliceproxy.ipc.client_cells import ClientCells
from spliceproxy.ipc.shared_clients import ClientBuckets, ClientConnections
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots

CLIENT, OTHER = b"\x7f\0\0\1", b"\x7f\0\0\2"


@pytest.fixture
def table() -> Iterator[SharedTable]:
    with closing(SharedTable(100)) as table:
        yield table


@pytest.fixture
def slots(table: SharedTable) -> WorkerSlots:
    return WorkerSlots(table)


def connections(table: SharedTable, slot: int, route: str = "web") -> ClientConnections:
    return ClientConnections(table, slot, route)


def buckets(table: SharedTable, slot: int, rate: str = "1/s") -> ClientBuckets:
    return ClientBuckets(table, slot, "web", rate)


def test_connections_in_all_workers(table: SharedTable, slots: WorkerSlots) -> None:
    one, other = connections(table, slots.take()), connections(table, slots.take())
    elsewhere = connections(table, 0, "other")
    for _ in range(3):
        one.opened(CLIENT)
    other.opened(CLIENT)
    other.opened(OTHER)
    assert (one.total(CLIENT), other.total(CLIENT), one.total(OTHER)) == (4, 4, 1)
    assert elsewhere.total(CLIENT) == 0
    one.closed(CLIENT)
    other.closed(CLIENT)
    assert other.total(CLIENT) == 2


def test_nothing_is_kept_of_clients_that_have_left(table: SharedTable, slots: WorkerSlots) -> None:
    one, other = connections(table, slots.take()), connections(table, slots.take())
    for number in range(3 * CONNECTIONS.clients):
        client = number.to_bytes(4)
        one.opened(client)
        assert other.total(client) == 1
        one.closed(client)
        assert other.total(client) == 0
    assert len(one) == 0


def test_a_killed_worker_has_no_connections(table: SharedTable, slots: WorkerSlots) -> None:
    ours, slot = connections(table, slots.take()), slots.take()
    pid = os.fork()
    if not pid:
        connections(table, slot).opened(CLIENT)
        os._exit(0)
    os.waitpid(pid, 0)
    assert ours.total(CLIENT) == 1
    slots.free(slot)
    assert ours.total(CLIENT) == 0


def test_without_a_cell_a_client_is_counted_by_its_worker(
    table: SharedTable, slots: WorkerSlots
) -> None:
    one, other = connections(table, slots.take()), connections(table, slots.take())
    clients = [number.to_bytes(4) for number in range(2 * CONNECTIONS.clients)]
    for client in clients:
        one.opened(client)
    assert all(one.total(client) == 1 for client in clients)
    assert 0.7 * CONNECTIONS.clients < sum(map(other.total, clients)) <= CONNECTIONS.clients
    for client in clients:
        one.closed(client)
    assert len(one) == 0
    assert not any(map(other.total, clients))


def test_of_the_times_of_a_bucket_the_latest_counts(table: SharedTable, slots: WorkerSlots) -> None:
    one, other = buckets(table, slots.take()), buckets(table, slots.take())
    assert one.full_s(CLIENT) == 0.0
    one.note(CLIENT, 5.0)
    other.note(CLIENT, 7.5)
    assert (one.full_s(CLIENT), other.full_s(CLIENT)) == (7.5, 7.5)
    assert one.full_s(OTHER) == 0.0
    assert buckets(table, 0, "2/s").full_s(CLIENT) == 0.0
    slots.free(1)
    assert one.full_s(CLIENT) == 7.5


def test_the_bucket_that_is_full_first_is_forgotten_first(
    table: SharedTable, slots: WorkerSlots
) -> None:
    cells = ClientCells(table, slots.take(), AreaPart(CONNECTIONS.size_bytes, WAYS))  # one set
    for client in range(1, WAYS + 1):
        cells.write_over_least(client, 100 + client)
    cells.write_over_least(1, 200)
    cells.write_over_least(99, 150)
    assert [cells.own(client) for client in (1, 2, 3, 99)] == [200, 0, 103, 150]


def test_a_cell_that_is_used_is_given_to_nobody_else(
    table: SharedTable, slots: WorkerSlots
) -> None:
    cells = ClientCells(table, slots.take(), AreaPart(0, WAYS))
    assert all(cells.write(client, 1) for client in range(1, WAYS + 1))
    assert not cells.write(99, 1)
    assert cells.write(5, 0)
    assert cells.write(99, 1)
    assert [cells.own(client) for client in (4, 5, 99)] == [1, 0, 1]
