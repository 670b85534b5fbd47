"""Backends that refuse, do not answer, or leave at once, and clients that do not wait."""

import errno
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.settings.address import Address, TcpAddress, UnixAddress
from tests.backlog import full_tcp_backlog, full_unix_backlog
from tests.faults import AnswerAt
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import Relay, both_transports, eventually, relay

CONNECT_TIMEOUT_S = 0.3


def closed_port() -> TcpAddress:
    """Below the range of local ports, so that no connection can meet itself there."""
    for port in range(2000, 30000):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return TcpAddress("127.0.0.1", port)
    raise AssertionError("no port is free")


async def assert_turned_away(proxied: Relay, reason: str) -> None:
    client = await proxied.open_client()
    assert await client.receive_rest() == (b"", "reset")
    line = await proxied.line()
    assert line["reason"] == reason
    assert line["connect_s"] is None
    assert (line["request_bytes"], line["response_bytes"]) == (0, 0)


async def assert_reaches_the_second(proxied: Relay, reason: str) -> None:
    connection = await proxied.connect()
    await connection.client.send(b"hello")
    assert await connection.backend.receive_exactly(5) == b"hello"
    assert [line["reason"] for line in proxied.events("connect_failed")] == [reason]


async def test_a_backend_that_refuses() -> None:
    refusing = closed_port()
    with trio.fail_after(20):
        async with relay(backends=lambda own: (refusing,)) as proxied:
            await assert_turned_away(proxied, "backend_refused")


async def test_the_next_backend_after_one_that_refuses() -> None:
    refusing = closed_port()
    with trio.fail_after(20):
        async with relay(backends=lambda own: (refusing, own)) as proxied:
            await assert_reaches_the_second(proxied, "backend_refused")


async def test_the_last_of_several_failures_is_the_reason(tmp_path: Path) -> None:
    refusing, absent = closed_port(), UnixAddress(str(tmp_path / "absent"))
    with trio.fail_after(20):
        async with relay(backends=lambda own: (refusing, absent)) as proxied:
            await assert_turned_away(proxied, "backend_absent")
            reasons = [line["reason"] for line in proxied.events("connect_failed")]
            assert reasons == ["backend_refused", "backend_absent"]


async def test_a_backend_that_never_answers() -> None:
    with trio.fail_after(20), full_tcp_backlog() as (mute, _):
        async with relay(
            backends=lambda own: (mute,), connect_timeout_s=CONNECT_TIMEOUT_S
        ) as proxied:
            started_s = time.monotonic()
            await assert_turned_away(proxied, "connect_timeout")
            assert time.monotonic() - started_s >= CONNECT_TIMEOUT_S


async def test_the_next_backend_after_one_that_never_answers() -> None:
    with trio.fail_after(20), full_tcp_backlog() as (mute, _):
        async with relay(
            backends=lambda own: (mute, own), connect_timeout_s=CONNECT_TIMEOUT_S
        ) as proxied:
            await assert_reaches_the_second(proxied, "connect_timeout")


async def test_a_client_that_resets_meanwhile() -> None:
    with trio.fail_after(20), full_tcp_backlog() as (mute, _):
        async with relay(backends=lambda own: (mute,)) as proxied:
            client = await proxied.open_client()
            await eventually(lambda: len(proxied.worker.sessions) == 1)
            await client.send(b"never read")
            client.reset()
            assert (await proxied.line())["reason"] == "client_left"


@both_transports
async def test_a_client_that_has_said_all_and_gone_is_still_served(transport: Any) -> None:
    """It may not want the answer; what it sent is to arrive."""
    with trio.fail_after(20), full_unix_backlog() as (slow, listener):
        async with relay(transport=transport, backends=lambda own: (slow,)) as proxied:
            client = await proxied.open_client()
            await client.send(b"goodbye")
            client.close()
            await eventually(lambda: len(proxied.worker.sessions) == 1)
            await assert_quiet()
            backend = await take_from(listener, b"goodbye")
            backend.close()
            assert (await proxied.line())["request_bytes"] == 7


async def test_a_full_unix_backlog_is_waited_for() -> None:
    with trio.fail_after(20), full_unix_backlog() as (slow, listener):
        async with relay(backends=lambda own: (slow,)) as proxied:
            client = await proxied.open_client()
            await client.send(b"patient")
            client.finish()
            await trio.sleep(0.05)
            assert proxied.log == []
            (await take_from(listener, b"patient")).close()
            assert (await proxied.line())["reason"] == "closed"


async def test_a_unix_backlog_that_stays_full() -> None:
    with trio.fail_after(20), full_unix_backlog() as (slow, _):
        async with relay(
            backends=lambda own: (slow,), connect_timeout_s=CONNECT_TIMEOUT_S
        ) as proxied:
            await assert_turned_away(proxied, "connect_timeout")


async def take_from(listener: socket.socket, expected: bytes) -> socket.socket:
    """Accept until the connection comes that says what is expected."""
    while True:
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            await trio.lowlevel.wait_readable(listener)
            continue
        sock.settimeout(0)
        try:
            with trio.move_on_after(0.2):
                await trio.lowlevel.wait_readable(sock)
            if sock.recv(100) == expected:
                return sock
        except BlockingIOError:
            pass
        sock.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errno.EADDRNOTAVAIL, "no_local_port"),
        (errno.EHOSTUNREACH, "backend_unreachable"),
        (errno.ENETUNREACH, "backend_unreachable"),
        (errno.ETIMEDOUT, "backend_timed_out"),
        (errno.EPERM, "backend_forbidden"),
        (errno.ECONNRESET, "backend_reset"),
        (errno.EIO, "backend_eio"),
    ],
)
async def test_failures_that_this_machine_does_not_produce(
    error: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "connect", AnswerAt(syscalls.connect, 1, error))
    with trio.fail_after(20):
        async with relay() as proxied:
            await assert_turned_away(proxied, reason)


@both_transports
async def test_a_backend_that_closes_at_once(transport: Any) -> None:
    with trio.fail_after(20):
        async with relay(transport=transport) as proxied:
            connection = await proxied.connect()
            connection.backend.close()
            assert await connection.client.receive_rest() == (b"", "eof")
            connection.client.finish()
            line = await proxied.line()
            assert line["reason"] in {"closed", "backend_reset"}
            assert line["response_bytes"] == 0


async def test_a_backend_that_resets_at_once() -> None:
    with trio.fail_after(20):
        async with relay() as proxied:
            client = await proxied.open_client()
            (await proxied.accept()).reset()
            assert await client.receive_rest() == (b"", "reset")
            assert (await proxied.line())["reason"] == "backend_reset"


async def test_backends_take_turns() -> None:
    refusing = closed_port()

    def three(own: Address) -> tuple[Address, ...]:
        return own, refusing, own

    with trio.fail_after(20):
        async with relay(backends=three) as proxied:
            for _ in range(6):
                connection = await proxied.connect()
                connection.client.close()
                connection.backend.close()
            await proxied.line(6)
            assert len(proxied.events("connect_failed")) == 2
