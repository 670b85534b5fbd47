"""Backends that refuse, fail or leave at once."""

import errno
from pathlib import Path

import pytest
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.settings.address import Address, UnixAddress
from tests.faults import AnswerAt
from tests.proxy.connecting import REFUSING, assert_reaches_the_second, assert_turned_away
from tests.proxy.relay import (
    Mode,
    Transport,
    both_transports,
    eventually,
    plain_and_tls,
    relay,
    three_modes,
)


@plain_and_tls
async def test_a_backend_that_refuses(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, backends=lambda own: (REFUSING,)) as proxied:
            await assert_turned_away(proxied, "backend_refused")


@plain_and_tls
async def test_the_next_backend_after_one_that_refuses(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, backends=lambda own: (REFUSING, own)) as proxied:
            await assert_reaches_the_second(proxied, "backend_refused")


@plain_and_tls
async def test_the_last_of_several_failures_is_the_reason(mode: Mode, tmp_path: Path) -> None:
    absent = UnixAddress(str(tmp_path / "absent"))
    with trio.fail_after(20):
        async with relay(mode=mode, backends=lambda own: (REFUSING, absent)) as proxied:
            await assert_turned_away(proxied, "backend_absent", attempts=2)
            reasons = [line["reason"] for line in proxied.events("connect_failed")]
            assert reasons == ["backend_refused", "backend_absent"]


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


@three_modes
@both_transports
async def test_a_backend_that_closes_at_once(mode: Mode, transport: Transport) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, transport=transport) as proxied:
            connection = await proxied.connect()
            connection.backend.close()
            assert await connection.client.receive_rest() == (b"", "eof")
            connection.client.finish()
            line = await proxied.line()
            assert line["reason"] in {"closed", "backend_reset"}
            assert line["response_bytes"] == 0


@three_modes
async def test_a_backend_that_resets_at_once(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            client = await proxied.open_client()
            (await proxied.accept()).reset()
            assert await client.receive_rest() == (b"", "reset")
            assert (await proxied.line())["reason"] == "backend_reset"


@plain_and_tls
async def test_backends_take_turns(mode: Mode) -> None:

    def three(own: Address) -> tuple[Address, ...]:
        return own, REFUSING, own

    with trio.fail_after(20):
        async with relay(mode=mode, backends=three) as proxied:
            for _ in range(6):
                connection = await proxied.connect()
                connection.client.close()
                connection.backend.close()
            await proxied.line(6)
            await eventually(lambda: proxied.told("connect_failed") == 2)
