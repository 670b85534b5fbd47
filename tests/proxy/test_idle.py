"""Silence in both directions ends a connection; a byte in either keeps it."""

import time

import pytest
import trio

from tests.proxy.payload import random_bytes
from tests.proxy.relay import Mode, all_modes, relay, three_modes
from tests.streams import Buffers

IDLE_TIMEOUT_S = 0.5
STEP_S = 0.1
STEPS = 7

senders = pytest.mark.parametrize("sender", ["client", "backend"])


@all_modes
async def test_silence_ends_in_a_reset_on_both_sides(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, idle_timeout_s=IDLE_TIMEOUT_S) as proxied:
            started_s = time.monotonic()
            connection = await proxied.connect()
            assert await connection.client.receive_rest() == (b"", "reset")
            assert await connection.backend.receive_rest() == (b"", "reset")
            line = await proxied.line()
            assert time.monotonic() - started_s >= IDLE_TIMEOUT_S
    assert (line["reason"], line["closed_by"]) == ("idle_timeout", "proxy")


@three_modes
@senders
async def test_bytes_in_one_direction_are_enough(mode: Mode, sender: str) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, idle_timeout_s=IDLE_TIMEOUT_S) as proxied:
            sends, receives = (await proxied.connect()).ends(sender)
            for _ in range(STEPS):
                await sends.send(b"x")
                assert await receives.receive_exactly(1) == b"x"
                await trio.sleep(STEP_S)
            assert proxied.worker.sessions
            sends.finish()
            receives.finish()
            assert (await proxied.line())["reason"] == "closed"


@three_modes
@senders
async def test_a_half_closed_connection_may_be_as_long_silent(mode: Mode, sender: str) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, idle_timeout_s=IDLE_TIMEOUT_S) as proxied:
            sends, receives = (await proxied.connect()).ends(sender)
            sends.finish()
            assert await receives.receive_rest() == (b"", "eof")
            assert await sends.receive_rest() == (b"", "reset")
            assert (await proxied.line())["reason"] == "idle_timeout"


@all_modes
@senders
async def test_a_reader_that_stands_still_is_silence(mode: Mode, sender: str) -> None:
    """Bytes that wait for it are lost, and counted; it can see that by the reset."""
    small = Buffers(receive_bytes=65536)
    data = random_bytes(64 << 20)  # which takes time that is not to count
    with trio.fail_after(20):
        async with relay(mode=mode, idle_timeout_s=IDLE_TIMEOUT_S, buffers=small) as proxied:
            sends, reads = (await proxied.connect()).ends(sender)
            with pytest.raises(ConnectionError):
                await sends.send(data)
            received, end = await reads.receive_rest()
            assert end == "reset"
            assert received == data[: len(received)]
            line = await proxied.line()
    assert line["reason"] == "idle_timeout"
    assert line["undelivered_bytes"] > 0


@all_modes
async def test_a_reader_that_trickles_is_not_silent(mode: Mode) -> None:
    data = random_bytes(24 << 20)
    with trio.fail_after(20):
        async with relay(mode=mode, idle_timeout_s=IDLE_TIMEOUT_S) as proxied:
            sends, reads = (await proxied.connect()).ends("client")
            sent = sends.send_some(data)
            for _ in range(STEPS):
                sent += sends.send_some(data[sent:])
                await reads.receive_exactly(1_000_000)
                await trio.sleep(STEP_S)
            assert proxied.worker.sessions
