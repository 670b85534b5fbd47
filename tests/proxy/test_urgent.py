"""Out-of-band data neither stops the stream, nor ends it early, nor makes the worker spin.

The urgent byte itself is not forwarded; no ordinary byte may be lost with it.
"""

import pytest
import trio

from tests.proxy.payload import random_bytes
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import both_modes, relay

BEFORE, AFTER = random_bytes(70_000, seed=1), random_bytes(70_000, seed=2)

# What is sent around the urgent byte: nothing, one byte, or more than a segment.
pieces = pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b""), (b"", AFTER), (BEFORE, AFTER), (BEFORE, b""), (b"b", b"a"), (b"", b"a")],
    ids=["alone", "first", "middle", "last", "between bytes", "before a byte"],
)
senders = pytest.mark.parametrize("sender", ["client", "backend"])


@both_modes
@senders
@pieces
async def test_no_ordinary_byte_is_lost(
    splice: bool, sender: str, before: bytes, after: bytes
) -> None:
    with trio.fail_after(20):
        async with relay(splice=splice) as proxied:
            sends, receives = (await proxied.connect()).ends(sender)
            await sends.send(before)
            sends.send_urgent(b"!")
            await sends.send(after)
            sends.finish()
            assert await receives.receive_rest() == (before + after, "eof")
            receives.finish()
            assert await sends.receive_rest() == (b"", "eof")
            line = await proxied.line()
    assert line["reason"] == "closed"
    assert line["request_bytes"] + line["response_bytes"] == len(before + after)


@both_modes
@pieces
async def test_the_stream_goes_on_behind_the_mark_while_it_is_open(
    splice: bool, before: bytes, after: bytes
) -> None:
    with trio.fail_after(20):
        async with relay(splice=splice) as proxied:
            connection = await proxied.connect()
            for _ in range(3):
                await connection.client.send(before)
                connection.client.send_urgent(b"!")
                await connection.client.send(after)
                received = await connection.backend.receive_exactly(len(before + after))
                assert received == before + after
            await connection.client.send(b"more")
            assert await connection.backend.receive_exactly(4) == b"more"


@both_modes
@pytest.mark.parametrize("marks", [1, 2, 5])
async def test_a_waiting_mark_costs_no_time(splice: bool, marks: int) -> None:
    with trio.fail_after(20):
        async with relay(splice=splice) as proxied:
            connection = await proxied.connect()
            for _ in range(marks):
                connection.client.send_urgent(b"!")
            await trio.sleep(0.05)
            await assert_quiet()
            await connection.client.send(b"after")
            assert await connection.backend.receive_exactly(5) == b"after"


@both_modes
async def test_a_reset_behind_the_mark_is_a_reset(splice: bool) -> None:
    with trio.fail_after(20):
        async with relay(splice=splice) as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"before")
            connection.client.send_urgent(b"!")
            await connection.client.send(b"after")
            await trio.sleep(0.01)
            connection.client.reset()
            assert await connection.backend.receive_rest() == (b"beforeafter", "reset")
            assert (await proxied.line())["reason"] == "client_reset"
