"""Stopping: what is under way finishes, what waits in the backlog is served, the rest is reset."""

import socket
import time

import pytest
import trio

from tests.proxy.bookkeeping import epoll_interest, listening_descriptors
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import TLS_MODES, Mode, all_modes, eventually, relay


@all_modes
async def test_connections_that_finish_in_time_are_not_disturbed(mode: Mode) -> None:
    data = random_bytes(8 << 20)
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            reset: list[int] = []

            async def drain() -> None:
                reset.append(await proxied.worker.drain_within(15))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(drain)
                await trio.sleep(0.01)
                assert not reset
                nursery.start_soon(connection.backend.send, data)
                assert_same(await connection.client.receive_exactly(len(data)), data)
                connection.client.finish()
                connection.backend.finish()
                assert await connection.client.receive_rest() == (b"", "eof")
            assert reset == [0]
            assert (await proxied.line())["reason"] == "closed"


@all_modes
async def test_what_is_left_at_the_deadline_is_reset(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            connections = [await proxied.connect() for _ in range(5)]
            assert await proxied.worker.drain_within(0.05) == 5
            for connection in connections:
                assert await connection.client.receive_rest() == (b"", "reset")
                assert await connection.backend.receive_rest() == (b"", "reset")
            reasons = [line["reason"] for line in proxied.events("connection")]
    assert reasons == ["drain_deadline"] * 5


@pytest.mark.slow
async def test_connections_end_one_after_the_other_the_silent_ones_first() -> None:
    with trio.fail_after(30):
        async with relay() as proxied:
            connections = [await proxied.connect() for _ in range(6)]
            for connection in reversed(connections):  # the last to speak is the first in the list
                await connection.client.send(b"x")
                assert await connection.backend.receive_exactly(1) == b"x"
                await trio.sleep(0.02)
            ended_s: dict[int, float] = {}
            started_s = time.monotonic()

            async def note_end(number: int) -> None:
                assert await connections[number].client.receive_rest() == (b"", "reset")
                ended_s[number] = time.monotonic() - started_s

            async with trio.open_nursery() as nursery:
                for number in range(6):
                    nursery.start_soon(note_end, number)
                assert await proxied.worker.drain_within(3) == 6
    assert list(ended_s) == [5, 4, 3, 2, 1, 0]
    assert min(ended_s.values()) >= 2  # nobody in the first two thirds
    assert ended_s[0] - ended_s[5] > 0.3  # not all at once


async def test_an_idle_worker_drains_at_once() -> None:
    with trio.fail_after(20):
        async with relay() as proxied:
            started_s = time.monotonic()
            assert await proxied.worker.drain_within(15) == 0
            assert time.monotonic() - started_s < 10


async def test_nothing_is_accepted_any_more() -> None:
    with trio.fail_after(20):
        async with relay() as proxied:
            live = await proxied.connect()
            listeners = listening_descriptors(proxied.worker)
            proxied.worker.drain()
            assert not listeners & set(epoll_interest(proxied.worker.reactor))
            late = await proxied.open_client()
            await trio.sleep(0.05)
            assert len(proxied.worker.sessions) == 1
            live.client.close()
            late.close()


@pytest.mark.parametrize(("limit", "served"), [(10, 4), (3, 2)])
async def test_clients_in_the_backlog_are_served(limit: int, served: int) -> None:
    """As many as the limit allows: a listener that closes resets those who wait."""
    with trio.fail_after(20):
        async with relay(max_connections=limit) as proxied:
            await proxied.connect()
            for _ in range(4):
                client = Peer(socket.socket())
                proxied.peers.append(client)
                client.sock.connect_ex(proxied.proxy.addresses[0])
                client.sock.send(b"hello")
            # At once: the worker is in this thread, and has not seen them yet.
            proxied.worker.drain()
            for _ in range(served):
                backend = await proxied.accept()
                assert await backend.receive_exactly(5) == b"hello"
            assert len(proxied.worker.sessions) == 1 + served


async def test_a_handshake_that_is_under_way_comes_to_its_end() -> None:
    """With the client, and then with the backend; what follows is relayed."""
    with trio.fail_after(20):
        async with relay(mode=TLS_MODES["tls-both"]) as proxied:
            client = await proxied.open_client_untouched()
            [frontend] = proxied.worker._frontends
            await eventually(lambda: len(list(frontend.entering)) == 1)
            reset: list[int] = []

            async def drain() -> None:
                reset.append(await proxied.worker.drain_within(15))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(drain)
                await trio.sleep(0.05)
                await client.speak_tls(server_side=False)
                await client.send(b"question")
                client.finish()
                backend = await proxied.accept()
                assert await backend.receive_rest() == (b"question", "eof")
                backend.finish()
            assert reset == [0]
            assert (await proxied.line())["reason"] == "closed"


async def test_stopping_resets_what_is_left_at_once() -> None:
    with trio.fail_after(20):
        async with relay() as proxied:
            connection = await proxied.connect()
            assert proxied.worker.reset_all("stopped") == 1
            assert await connection.client.receive_rest() == (b"", "reset")
            assert await connection.backend.receive_rest() == (b"", "reset")
            assert (await proxied.line())["reason"] == "stopped"


@pytest.mark.parametrize("times", [2, 3])
async def test_draining_twice_is_draining_once(times: int) -> None:
    with trio.fail_after(20):
        async with relay() as proxied:
            connection = await proxied.connect()
            for _ in range(times):
                proxied.worker.drain()
            connection.client.finish()
            connection.backend.finish()
            assert await proxied.worker.drain_within(10) == 0
            assert (await proxied.line())["reason"] == "closed"
