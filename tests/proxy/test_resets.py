"""A peer that fails in one place is seen to fail in the other, behind every byte it had sent."""

import pytest
import trio

from spliceproxy.kernel import syscalls
from tests.proxy.bookkeeping import live_links
from tests.proxy.payload import assert_prefix, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import Mode, all_modes, eventually, relay
from tests.streams import Buffers

either_side_fails = pytest.mark.parametrize("failing", ["client", "backend"])


@all_modes
@either_side_fails
async def test_data_and_then_a_reset(mode: Mode, failing: str) -> None:
    data = random_bytes(20_000)
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            fails, survives = (await proxied.connect()).ends(failing)
            await fails.send(data)
            fails.reset()
            assert await survives.receive_rest() == (data, "reset")
            line = await proxied.line()
    assert line["reason"] == f"{failing}_reset"
    assert line["closed_by"] == failing
    assert line["termination"] == {"client": "CD", "backend": "SD"}[failing]
    assert line["request_bytes"] + line["response_bytes"] == len(data)
    assert line["undelivered_bytes"] == 0


@all_modes
@either_side_fails
async def test_all_data_of_a_slow_reader_comes_before_the_reset(mode: Mode, failing: str) -> None:
    data = random_bytes(4 << 20)
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            fails, survives = (await proxied.connect()).ends(failing)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_until_read_then_reset, fails, data)
                received = await survives.receive_exactly(1 << 20)
                await trio.sleep(0.05)
                rest, end = await survives.receive_rest()
            assert end == "reset"
            assert received + rest == data
            assert (await proxied.line())["reason"] == f"{failing}_reset"


async def send_until_read_then_reset(peer: Peer, data: bytes) -> None:
    """Reset when the kernel has handed all of it to the proxy: a reset destroys what it has not."""
    await peer.send(data)
    await eventually(lambda: syscalls.unacknowledged_bytes(peer.sock) == 0)
    peer.reset()


@all_modes
@either_side_fails
async def test_a_reset_in_the_middle_of_both_streams(mode: Mode, failing: str) -> None:
    """The failing peer reads nothing, so that bytes for it are held everywhere on their way."""
    data = random_bytes(32 << 20)
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            fails, survives = (await proxied.connect()).ends(failing)
            accepted = await send_until_stuck(survives, data)
            await fails.send(data[:100_000])
            fails.reset()
            received, end = await survives.receive_rest()
            assert end == "reset"
            assert_prefix(received, data[:100_000])
            line = await proxied.line()
    assert line["reason"] == f"{failing}_reset"
    assert line["undelivered_bytes"] > 0
    lost = line["response_bytes" if failing == "client" else "request_bytes"]
    assert lost + line["undelivered_bytes"] <= accepted


async def send_until_stuck(peer: Peer, data: bytes) -> int:
    sent = 0
    quiet_rounds = 0
    while quiet_rounds < 5:
        count = peer.send_some(data[sent : sent + (1 << 20)])
        quiet_rounds = 0 if count else quiet_rounds + 1
        sent += count
        await trio.sleep(0.01)
    return sent


@all_modes
@either_side_fails
async def test_a_reset_after_the_other_side_has_finished(mode: Mode, failing: str) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            fails, survives = (await proxied.connect()).ends(failing)
            survives.finish()
            assert await fails.receive_rest() == (b"", "eof")
            await fails.send(b"half an answ")
            fails.reset()
            assert await survives.receive_rest() == (b"half an answ", "reset")
            assert (await proxied.line())["reason"] == f"{failing}_reset"


@all_modes
@either_side_fails
async def test_a_reset_by_the_side_that_has_finished(mode: Mode, failing: str) -> None:
    """The end that it had sent was true; what is sent to it from now on meets the reset."""
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            fails, survives = (await proxied.connect()).ends(failing)
            await fails.send(b"all of it")
            fails.finish()
            assert await survives.receive_rest() == (b"all of it", "eof")
            fails.reset()
            line = await proxied.line()
            with pytest.raises(ConnectionError):
                await survives.send(bytes(64 << 20))
    assert line["reason"] == f"{failing}_reset"


@all_modes
async def test_both_sides_reset_at_once(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            await send_until_stuck(connection.client, bytes(16 << 20))
            await send_until_stuck(connection.backend, bytes(16 << 20))
            connection.client.reset()
            connection.backend.reset()
            line = await proxied.line()
            with trio.fail_after(5):
                await proxied.settled()
    assert line["reason"] in {"client_reset", "backend_reset"}
    assert line["undelivered_bytes"] > 0


@all_modes
@either_side_fails
async def test_a_survivor_that_is_gone_as_well_is_not_waited_for(mode: Mode, failing: str) -> None:
    """The proxy's socket holds bytes for it that nobody will ever acknowledge."""
    with trio.fail_after(20):
        async with relay(mode=mode, buffers=Buffers(receive_bytes=2048)) as proxied:
            fails, survives = (await proxied.connect()).ends(failing)
            await fails.send(bytes(50_000))
            fails.reset()
            await eventually(lambda: not list(live_links(proxied.worker)))
            await trio.sleep(0.05)
            assert proxied.worker.sessions
            survives.reset()
            with trio.fail_after(5):
                assert (await proxied.line())["reason"] == f"{failing}_reset"


@all_modes
@either_side_fails
async def test_a_unix_peer_that_leaves_bytes_unread_is_counted(mode: Mode, failing: str) -> None:
    """A unix socket knows no reset, but an error where the other has not read everything."""
    with trio.fail_after(20):
        async with relay(mode=mode, transport="unix") as proxied:
            fails, survives = (await proxied.connect()).ends(failing)
            await send_until_stuck(survives, bytes(16 << 20))
            fails.close()
            line = await proxied.line()
            await proxied.settled()
    assert line["reason"] == f"{failing}_reset"
    assert line["undelivered_bytes"] > 0
