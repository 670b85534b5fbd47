"""An exception that nobody foresaw ends one connection, is told, and leaves nothing behind."""

import errno
import os
from typing import Any

import pytest
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.loop.reactor import Reactor
from tests.faults import CrashAt
from tests.proxy.faulty_exchange import Seam, one_exchange
from tests.proxy.relay import COPY, SPLICE, TLS_MODES, Connection, Mode, relay


@pytest.mark.parametrize(
    ("call", "mode"),
    [
        ("splice", SPLICE),
        ("receive", COPY),
        ("send", COPY),
        ("receive", TLS_MODES["tls-both"]),
        ("send", TLS_MODES["tls-both"]),
    ],
)
async def test_in_the_data_plane(call: str, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    seam = Seam(monkeypatch, call)
    with trio.fail_after(55):
        async with relay(mode=mode) as proxied:
            bystander = await proxied.connect()
            for number in range(1, 13):
                seam.put(CrashAt, number)
                line = await one_exchange(proxied, number, live=1)
                assert line["reason"] == "internal_error"
            assert isinstance(proxied.events("internal_error")[-1]["exc_info"], RuntimeError)
            await assert_relays(bystander)
    assert proxied.told("internal_error") == 12


async def assert_relays(connection: Connection) -> None:
    await connection.client.send(b"still here")
    assert await connection.backend.receive_exactly(10) == b"still here"


@pytest.mark.parametrize("call", ["open_socket", "connect"])
async def test_while_connecting(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with trio.fail_after(20):
        async with relay() as proxied:
            monkeypatch.setattr(syscalls, call, CrashAt(getattr(syscalls, call), 1))
            unlucky = await proxied.open_client()
            assert await unlucky.receive_rest() == (b"", "reset")
            assert (await proxied.line())["reason"] == "internal_error"
            monkeypatch.undo()
            await assert_relays(await proxied.connect())


async def test_while_accepting(monkeypatch: pytest.MonkeyPatch) -> None:
    with trio.fail_after(20):
        async with relay() as proxied:
            monkeypatch.setattr(syscalls, "accept", CrashAt(syscalls.accept, 1))
            await assert_relays(await proxied.connect())
            assert len(proxied.events("accept_failed")) == 1


class FullAt:
    """An epoll set that takes no more at the nth attempt: fs.epoll.max_user_watches."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        real = Reactor.register
        calls = 0

        def register(reactor: Reactor, fd: int, events: int, watcher: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(reactor, fd, events, watcher)

        monkeypatch.setattr(Reactor, "register", register)


@pytest.mark.parametrize("number", [1, 2])
async def test_an_epoll_set_that_takes_no_more(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trio.fail_after(20):
        async with relay() as proxied:
            FullAt(monkeypatch, number)
            unlucky = await proxied.connect()
            assert await unlucky.client.receive_rest() == (b"", "reset")
            assert await unlucky.backend.receive_rest() == (b"", "reset")
            assert (await proxied.line())["reason"] == "internal_error"
            monkeypatch.undo()
            await assert_relays(await proxied.connect())
