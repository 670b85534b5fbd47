"""At its limits the proxy takes no more, keeps what it has, and goes on when it can."""

import errno
import socket

import pytest
import trio

from spliceproxy.kernel import syscalls
from tests.faults import ENDLESS, FailAt
from tests.proxy.bookkeeping import epoll_interest, listening_descriptors
from tests.proxy.descriptor_limit import descriptors_used_up
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import TLS_MODES, Connection, Mode, Relay, eventually, relay, three_modes


def is_accepting(proxied: Relay) -> bool:
    return listening_descriptors(proxied.worker) <= set(epoll_interest(proxied.worker.reactor))


async def assert_relays(connection: Connection, text: bytes = b"ping") -> None:
    await connection.client.send(text)
    assert await connection.backend.receive_exactly(len(text)) == text
    await connection.backend.send(text)
    assert await connection.client.receive_exactly(len(text)) == text


async def end(connection: Connection) -> None:
    connection.client.finish()
    assert await connection.backend.receive_rest() == (b"", "eof")
    connection.backend.close()
    assert await connection.client.receive_rest() == (b"", "eof")


@three_modes
async def test_connections_beyond_the_limit_wait_in_the_backlog(mode: Mode) -> None:
    with trio.fail_after(20):
        async with (
            relay(mode=mode, max_connections=2) as proxied,
            trio.open_nursery() as nursery,
        ):
            first, second = await proxied.connect(), await proxied.connect()
            waiting = [await proxied.open_client_untouched() for _ in range(3)]
            for client in waiting:
                nursery.start_soon(say, proxied, client, b"are you there")
            await assert_quiet()
            assert len(proxied.worker.sessions) == 2
            assert not is_accepting(proxied)
            await assert_relays(first)
            await end(first)
            await assert_relays(second)
            third = await proxied.accept()
            assert await third.receive_exactly(13) == b"are you there"
            await trio.sleep(0.05)
            assert len(proxied.worker.sessions) == 2
            await end(second)
            await proxied.accept()
            waiting[0].close()
            third.close()
            await proxied.accept()
            await proxied.line(3)
            await eventually(lambda: len(proxied.worker.sessions) == 2)


async def say(proxied: Relay, client: Peer, text: bytes) -> None:
    """Say it as soon as the proxy has taken the client in."""
    if "client" in proxied.tls:
        await client.speak_tls(server_side=False)
    await client.send(text)


async def test_a_handshake_takes_a_place() -> None:
    with trio.fail_after(20):
        async with (
            relay(mode=TLS_MODES["tls"], max_connections=1) as proxied,
            trio.open_nursery() as nursery,
        ):
            slow = await proxied.open_client_untouched()
            await eventually(lambda: not is_accepting(proxied))
            waiting = await proxied.open_client_untouched()
            nursery.start_soon(say, proxied, waiting, b"are you there")
            await assert_quiet()
            assert not is_accepting(proxied)
            slow.close()
            backend = await proxied.accept()
            assert await backend.receive_exactly(13) == b"are you there"


@three_modes
async def test_a_connection_that_is_refused_at_the_limit_frees_its_place(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, max_connections=1) as proxied:
            proxied.acceptor.close()
            for _ in range(5):
                client = await proxied.open_client()
                assert await client.receive_rest() == (b"", "reset")
            assert is_accepting(proxied)
            assert {line["reason"] for line in proxied.events("connection")} == {"backend_refused"}


@three_modes
async def test_no_descriptor_for_accepting(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied, trio.open_nursery() as nursery:
            live = await proxied.connect()
            waiting = prepare_client()
            with descriptors_used_up():
                await connect(waiting, proxied)
                nursery.start_soon(say, proxied, waiting, b"hello")
                await eventually(lambda: len(proxied.events("accept_paused")) == 1)
                await assert_quiet()
                await assert_relays(live)
                assert len(proxied.worker.sessions) == 1
            backend = await proxied.accept()
            assert await backend.receive_exactly(5) == b"hello"
            assert len(proxied.events("accept_resumed")) == 1
            assert [line["error"] for line in proxied.events("accept_paused")] == ["EMFILE"]
            waiting.close()


@three_modes
async def test_no_descriptor_for_connecting(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            live = await proxied.connect()
            unlucky = prepare_client()
            with descriptors_used_up(spare=1):
                await connect(unlucky, proxied)
                await say(proxied, unlucky, b"")
                assert await unlucky.receive_rest() == (b"", "reset")
                await assert_relays(live)
            unlucky.close()
            assert (await proxied.line())["reason"] == "no_descriptors"
            await eventually(lambda: is_accepting(proxied))
            await assert_relays(await proxied.connect())


async def test_no_descriptor_for_a_pipe_is_a_reason_to_copy() -> None:
    data = random_bytes(1 << 20)
    with trio.fail_after(20):
        async with relay() as proxied:
            connection = await proxied.connect()
            with descriptors_used_up(spare=1):  # a pipe needs two
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(connection.client.send, data)
                    assert_same(await connection.backend.receive_exactly(len(data)), data)
            await end(connection)
            line = await proxied.line()
    assert line["reason"] == "closed"
    assert (line["copied_bytes"], line["spliced_bytes"]) == (len(data), 0)
    assert "Too many open files" in proxied.events("splice_refused")[0]["error"]


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_every_kind_of_exhaustion_pauses_accepting(
    error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "accept", FailAt(syscalls.accept, 1, error, times=3))
    with trio.fail_after(20):
        async with relay() as proxied:
            await assert_relays(await proxied.connect())
            assert len(proxied.events("accept_paused")) == 1
            assert len(proxied.events("accept_resumed")) == 1


@pytest.mark.parametrize("error", [errno.ECONNABORTED, errno.EPROTO, errno.EPERM])
async def test_a_connection_that_died_in_the_backlog_is_no_reason_to_pause(
    error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "accept", FailAt(syscalls.accept, 1, error, times=3))
    with trio.fail_after(20):
        async with relay() as proxied:
            await assert_relays(await proxied.connect())
            assert [line["event"] for line in proxied.log] == []


async def test_an_unknown_error_of_accept_is_told_and_neither_spins_nor_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accept = FailAt(syscalls.accept, 1, errno.EIO, times=ENDLESS)
    monkeypatch.setattr(syscalls, "accept", accept)
    with trio.fail_after(20):
        async with relay() as proxied:
            client = await proxied.open_client()
            await eventually(lambda: bool(proxied.events("accept_failed")))
            await assert_quiet()
            monkeypatch.undo()
            await assert_relays(Connection(client, await proxied.accept()))


def prepare_client() -> Peer:
    """A client whose socket exists already, for when no other can be had."""
    return Peer(socket.socket())


async def connect(client: Peer, proxied: Relay) -> None:
    try:
        client.sock.connect(proxied.proxy.addresses[0])
    except BlockingIOError:
        await trio.lowlevel.wait_writable(client.sock)
