"""Ends that nobody can act on yet, and which epoll reports for ever, cost no time."""

import pytest
import trio

from tests.proxy.bookkeeping import check_bookkeeping, live_links
from tests.proxy.payload import assert_prefix, assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import (
    Mode,
    Relay,
    Transport,
    all_modes,
    both_modes,
    both_transports,
    eventually,
    relay,
)

either_side = pytest.mark.parametrize("sender", ["client", "backend"])


async def send_until_held(proxied: Relay, peer: Peer) -> bytes:
    """Send until the proxy holds bytes that it cannot pass on, and nothing moves any more."""
    data = random_bytes(24 << 20)
    sent = 0
    quiet_rounds = 0
    while quiet_rounds < 5:
        count = peer.send_some(data[sent : sent + (1 << 20)])
        quiet_rounds = 0 if count else quiet_rounds + 1
        sent += count
        await trio.sleep(0.01)
    assert any(link.request.paused or link.response.paused for link in live_links(proxied.worker))
    return data[: sent + peer.encrypted_bytes]


@all_modes
@both_transports
@either_side
async def test_an_end_of_stream_behind_a_full_pipe(
    mode: Mode, transport: Transport, sender: str
) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, transport=transport) as proxied:
            sends, reads = (await proxied.connect()).ends(sender)
            sent = await send_until_held(proxied, sends)
            sends.finish()
            await assert_quiet()
            received, end = await reads.receive_rest()
            assert end == "eof"
            assert_same(received, sent)
            check_bookkeeping(proxied.worker)


@all_modes
@either_side
async def test_a_reset_behind_a_full_pipe(mode: Mode, sender: str) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            sends, reads = (await proxied.connect()).ends(sender)
            sent = await send_until_held(proxied, sends)
            sends.reset()
            await assert_quiet()
            assert list(live_links(proxied.worker)), "what it had sent is still to be handed on"
            received, end = await reads.receive_rest()
            assert end == "reset"
            assert_prefix(received, sent)
            assert (await proxied.line())["reason"] == f"{sender}_reset"


@both_modes
@either_side
async def test_a_unix_peer_that_has_closed_behind_a_full_pipe(splice: bool, sender: str) -> None:
    """By TLS it could not: a goodbye comes behind the rest of a record, which waits for room."""
    with trio.fail_after(20):
        async with relay(splice=splice, transport="unix") as proxied:
            sends, reads = (await proxied.connect()).ends(sender)
            sent = await send_until_held(proxied, sends)
            sends.close()
            await assert_quiet()
            received, end = await reads.receive_rest()
            assert end == "eof"
            assert_same(received, sent)
            await assert_quiet()


@all_modes
@both_transports
@either_side
async def test_a_peer_that_has_closed_while_the_other_is_silent(
    mode: Mode, transport: Transport, sender: str
) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, transport=transport) as proxied:
            leaves, stays = (await proxied.connect()).ends(sender)
            leaves.close()
            assert await stays.receive_rest() == (b"", "eof")
            await assert_quiet()
            await stays.send(b"are you there")
            stays.finish()
            await eventually(lambda: bool(proxied.events("connection")))


@all_modes
@either_side
async def test_a_half_closed_peer_that_resets_while_the_other_is_silent(
    mode: Mode, sender: str
) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            leaves, stays = (await proxied.connect()).ends(sender)
            leaves.finish()
            assert await stays.receive_rest() == (b"", "eof")
            leaves.reset()
            assert (await proxied.line())["reason"] == f"{sender}_reset"
            await assert_quiet()
