"""Backends that do not answer, or not yet, and clients that do not wait for them."""

import socket
import time

import pytest
import trio

from tests.backlog import full_tcp_backlog, full_unix_backlog
from tests.proxy.connecting import assert_reaches_the_second, assert_turned_away
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import (
    SPLICE,
    TLS_MODES,
    Mode,
    Transport,
    both_transports,
    eventually,
    relay,
)

CONNECT_TIMEOUT_S = 0.3

# Backends that do not answer have not come to TLS.
client_by_tls = pytest.mark.parametrize("mode", [SPLICE, TLS_MODES["tls"]], ids=["plain", "tls"])


@client_by_tls
async def test_a_backend_that_never_answers(mode: Mode) -> None:
    with trio.fail_after(20), full_tcp_backlog() as (mute, _):
        async with relay(
            mode=mode, backends=lambda own: (mute,), connect_timeout_s=CONNECT_TIMEOUT_S
        ) as proxied:
            started_s = time.monotonic()
            await assert_turned_away(proxied, "connect_timeout")
            assert time.monotonic() - started_s >= CONNECT_TIMEOUT_S


@client_by_tls
async def test_the_next_backend_after_one_that_never_answers(mode: Mode) -> None:
    with trio.fail_after(20), full_tcp_backlog() as (mute, _):
        async with relay(
            mode=mode, backends=lambda own: (mute, own), connect_timeout_s=CONNECT_TIMEOUT_S
        ) as proxied:
            await assert_reaches_the_second(proxied, "connect_timeout")


@client_by_tls
async def test_a_client_that_resets_meanwhile(mode: Mode) -> None:
    with trio.fail_after(20), full_tcp_backlog() as (mute, _):
        async with relay(mode=mode, backends=lambda own: (mute,)) as proxied:
            client = await proxied.open_client()
            await eventually(lambda: len(proxied.worker.sessions) == 1)
            await client.send(b"never read")
            client.reset()
            line = await proxied.line()
    assert (line["reason"], line["termination"]) == ("client_left", "CC")
    assert (line["attempts"], line["connect_s"]) == (1, None)


@client_by_tls
@both_transports
async def test_a_client_that_has_said_all_and_gone_is_still_served(
    mode: Mode, transport: Transport
) -> None:
    """It may not want the answer; what it sent is to arrive."""
    with trio.fail_after(20), full_unix_backlog() as (slow, listener):
        async with relay(mode=mode, transport=transport, backends=lambda own: (slow,)) as proxied:
            client = await proxied.open_client()
            await client.send(b"goodbye")
            await eventually(lambda: len(proxied.worker.sessions) == 1)  # tickets have arrived
            client.close()
            await assert_quiet()
            backend = await take_from(listener, b"goodbye")
            backend.close()
            assert (await proxied.line())["request_bytes"] == 7


@client_by_tls
async def test_a_full_unix_backlog_is_waited_for(mode: Mode) -> None:
    with trio.fail_after(20), full_unix_backlog() as (slow, listener):
        async with relay(mode=mode, backends=lambda own: (slow,)) as proxied:
            client = await proxied.open_client()
            await client.send(b"patient")
            client.finish()
            await trio.sleep(0.05)
            assert proxied.log == []
            (await take_from(listener, b"patient")).close()
            assert (await proxied.line())["reason"] == "closed"


@client_by_tls
async def test_a_unix_backlog_that_stays_full(mode: Mode) -> None:
    with trio.fail_after(20), full_unix_backlog() as (slow, _):
        async with relay(
            mode=mode, backends=lambda own: (slow,), connect_timeout_s=CONNECT_TIMEOUT_S
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
