"""Clients that wait because every backend is full."""

import pytest
import trio

from spliceproxy.settings.pool import QueueSettings
from spliceproxy.upstream.attempt import Attempt
from tests.proxy.peer import Peer
from tests.proxy.pooled import Pooled, pooled
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import Mode, eventually, plain_and_tls

ONE = {"max_connections": 1}


async def wait_in_line(proxied: Pooled, count: int) -> list[Peer]:
    """Open clients that have to wait, one after the other."""
    clients: list[Peer] = []
    queue = proxied.proxy.worker.opener.pools[0].queue
    for number in range(count):
        clients.append(await proxied.open_client())
        await clients[-1].send(bytes([number]))
        await eventually(lambda: len(queue) == len(clients))
    return clients


@plain_and_tls
async def test_who_came_first_goes_on_first(mode: Mode) -> None:
    async with pooled(ONE, {"max_connections": 2}, mode=mode) as proxied:
        held = [await proxied.connect() for _ in range(3)]
        await wait_in_line(proxied, 4)
        await assert_quiet()
        served = []
        for _, client, far in held:
            client.close()
            far.close()
            _, next_far = await proxied.arrival()
            served.append(await next_far.receive_exactly(1))
        assert served == [b"\0", b"\1", b"\2"]
        assert [backend.state.active for backend in proxied.backends] == [1, 2]


@plain_and_tls
async def test_nobody_overtakes_those_who_wait(mode: Mode) -> None:
    async with pooled(ONE, queue=QueueSettings(size=2), mode=mode) as proxied:
        _, client, far = await proxied.connect()
        await wait_in_line(proxied, 2)
        late = await proxied.open_client()
        assert await late.receive_rest() == (b"", "reset")
        line = await proxied.ended()
        assert (line["reason"], line["termination"], line["queue_s"]) == ("queue_full", "PQ", None)
        client.reset()
        far.close()
        _, far = await proxied.arrival()
        assert await far.receive_exactly(1) == b"\0"


@plain_and_tls
async def test_the_wait_is_bounded(mode: Mode) -> None:
    async with pooled(ONE, queue=QueueSettings(timeout_s=0.1), mode=mode) as proxied:
        await proxied.connect()
        (client,) = await wait_in_line(proxied, 1)
        assert await client.receive_rest() == (b"", "reset")
        line = await proxied.ended()
        assert (line["reason"], line["backend"]) == ("queue_timeout", "")
        assert (line["termination"], line["attempts"]) == ("sQ", 0)
        assert 0.1 <= line["queue_s"] < 10


@plain_and_tls
async def test_a_client_that_leaves_gives_up_its_place(mode: Mode) -> None:
    async with pooled(ONE, mode=mode) as proxied:
        _, holder, far = await proxied.connect()
        first, _ = await wait_in_line(proxied, 2)
        first.reset()
        line = await proxied.ended()
        assert (line["reason"], line["termination"]) == ("client_left", "CQ")
        holder.close()
        far.close()
        _, far = await proxied.arrival()
        assert await far.receive_exactly(1) == b"\1"


@plain_and_tls
async def test_room_at_a_backend_that_refuses_is_room_for_the_next_one(mode: Mode) -> None:
    """The backend is gone when its place is free: each who waits finds out, and is told so."""
    async with pooled(ONE, mode=mode) as proxied:
        _, holder, far = await proxied.connect()
        clients = await wait_in_line(proxied, 3)
        proxied.stop(0)
        holder.close()
        far.close()
        for client in clients:
            assert await client.receive_rest() == (b"", "reset")
        await proxied.ended(4)
        reasons = [line["reason"] for line in proxied.events("connection")]
        assert reasons.count("backend_refused") == 3


async def test_room_at_a_backup_is_asked_for_by_one_and_not_by_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with pooled(ONE, {"backup": True}) as proxied:
        _, holder, far = await proxied.connect()
        await wait_in_line(proxied, 20)
        asked: list[Attempt] = []
        retry = Attempt.retry

        def count(attempt: Attempt) -> bool:
            asked.append(attempt)
            return retry(attempt)

        with monkeypatch.context() as patch:
            patch.setattr(Attempt, "retry", count)
            late = await proxied.open_client()
            queue = proxied.proxy.worker.opener.pools[0].queue
            await eventually(lambda: len(queue) == 21)
            assert len(set(asked)) == 1  # again and again: room may become free elsewhere
            late.reset()
            holder.close()
            far.close()
            number, far = await proxied.arrival()
        assert (number, await far.receive_exactly(1)) == (0, b"\0")


@plain_and_tls
async def test_stopping_connects_nobody_who_waits(mode: Mode) -> None:
    async with pooled(ONE, mode=mode) as proxied:
        _, client, _ = await proxied.connect()
        waiting = await wait_in_line(proxied, 5)
        proxied.proxy.worker.drain(take_backlog=False)
        assert proxied.proxy.worker.reset_all("stopped") == 6
        for each in (client, *waiting):
            assert await each.receive_rest() == (b"", "reset")
        await assert_quiet()
        with pytest.raises(trio.WouldBlock):
            proxied.arrivals.receive_nowait()


@pytest.mark.slow
async def test_a_crowd_is_served_by_few_places() -> None:
    async with pooled(ONE, {"max_connections": 2}, balance="least_connections") as proxied:
        clients = [await proxied.open_client() for _ in range(300)]
        for client in clients:
            client.finish()
        for _ in clients:
            _, far = await proxied.arrival()
            assert sum(backend.state.active for backend in proxied.backends) <= 3
            await far.send(b"!")
            far.close()
        for client in clients:
            assert await client.receive_rest() == (b"!", "eof")
        await proxied.ended(300)
        assert {line["reason"] for line in proxied.events("connection")} == {"closed"}
