"""Which of several backends gets a connection."""

from collections import Counter

import pytest

from tests.proxy.pooled import pooled
from tests.proxy.relay import eventually


async def test_turns_by_weight() -> None:
    async with pooled({"weight": 2}, {}) as proxied:
        assert await proxied.numbers(6) == [0, 1, 0, 0, 1, 0]


async def test_the_backend_with_the_fewest_connections() -> None:
    async with pooled({}, {}, {}, balance="least_connections") as proxied:
        opened = [await proxied.connect() for _ in range(6)]
        assert Counter(number for number, _, _ in opened) == {0: 2, 1: 2, 2: 2}
        for number, client, far in opened:
            if number == 1:
                client.close()
                far.close()
        await eventually(lambda: proxied.backends[1].state.active == 0)
        assert await proxied.numbers(2) == [1, 1]


async def test_a_client_stays_with_its_backend_and_only_those_of_a_lost_one_move() -> None:
    clients = [f"127.0.0.{last}" for last in range(10, 30)]
    async with pooled({}, {}, {}, balance="source_hash", retries=2) as proxied:
        first = {client: (await proxied.connect(client))[0] for client in clients}
        assert set(first.values()) == {0, 1, 2}
        assert {client: (await proxied.connect(client))[0] for client in clients} == first
        proxied.stop(1)
        then = {client: (await proxied.connect(client))[0] for client in clients}
    assert 1 not in then.values()
    assert {client for client in clients if then[client] != first[client]} == {
        client for client in clients if first[client] == 1
    }


async def test_the_first_one_with_room() -> None:
    async with pooled({"max_connections": 2}, {}, balance="first") as proxied:
        assert await proxied.numbers(4) == [0, 0, 1, 1]


async def test_a_backup_gets_what_no_other_one_takes() -> None:
    async with pooled({}, {"backup": True}, {}) as proxied:
        assert await proxied.numbers(4) == [0, 2, 0, 2]
        proxied.stop(0)
        proxied.stop(2)
        assert await proxied.numbers(2) == [1, 1]
        proxied.start_again(2)
        assert set(await proxied.numbers(2)) == {2}


@pytest.mark.parametrize(("retries", "reached"), [(0, False), (1, False), (2, True)])
async def test_so_many_further_backends_are_tried(retries: int, reached: bool) -> None:
    async with pooled({}, {}, {}, balance="first", retries=retries) as proxied:
        proxied.stop(0)
        proxied.stop(1)
        if reached:
            assert (await proxied.connect())[0] == 2
        else:
            client = await proxied.open_client()
            assert await client.receive_rest() == (b"", "reset")
            assert (await proxied.ended())["reason"] == "backend_refused"
        assert len(proxied.events("connect_failed")) == min(retries + 1, 2)


async def test_the_backends_of_a_route_are_described_with_their_counts() -> None:
    async with pooled({"weight": 3}, {"backup": True}, balance="random_two") as proxied:
        await proxied.numbers(2)
        (route,) = proxied.proxy.status().routes
        assert route.balance == "random_two"
        assert [(one.weight, one.backup, one.active) for one in route.backends] == [
            (3, False, 2),
            (1, True, 0),
        ]
