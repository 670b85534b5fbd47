"""`overflow=block`: no record, no traffic."""

from pathlib import Path

import pytest
import trio
import trio.lowlevel

from tests.backlog import full_tcp_backlog
from tests.mirroring.bad_mirrors import Reader, reader, refusing
from tests.mirroring.holding import BLOCK, BUFFER_BYTES, DATA, KERNEL_BYTES, ONE_FILL_BYTES, Traffic
from tests.mirroring.mirrored import mirrored
from tests.proxy.judge import exchange
from tests.proxy.payload import assert_prefix, assert_same
from tests.proxy.peer import Peer
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import Mode, three_modes

pytestmark = pytest.mark.usefixtures("small_mirror_sockets")

all_kinds = pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])


@all_kinds
@three_modes
async def test_a_mirror_that_reads_nothing_holds_the_source_back(
    kind: str, mode: Mode, tmp_path: Path
) -> None:
    with trio.fail_after(30):
        async with (
            reader(kind, tmp_path) as bad,
            mirrored(bad.text + BLOCK, mode=mode) as proxied,
            trio.open_nursery() as nursery,
        ):
            connection = await proxied.connect()
            peer = await bad.accept()
            traffic = Traffic(connection, nursery)
            await traffic.held(proxied)
            assert_prefix(bytes(traffic.received), DATA)
            assert len(traffic.received) <= BUFFER_BYTES + ONE_FILL_BYTES + KERNEL_BYTES
            assert proxied.mirrors.budget.used_bytes <= BUFFER_BYTES + ONE_FILL_BYTES
            await assert_quiet()
            traffic.stop()
            await trio.lowlevel.checkpoint()
            # The mirror fails: nobody gets away without a record.
            close = peer.reset if kind != "unix" else peer.close
            close()
            line = await proxied.line()
            assert line["reason"] == "mirror_failed"
            assert proxied.events("mirror_failed")
            assert await connection.client.receive_rest() == (b"", "reset")


@all_kinds
@three_modes
async def test_a_slow_mirror_gets_all_and_so_does_the_backend(
    kind: str, mode: Mode, tmp_path: Path
) -> None:
    data = DATA[:4_000_000]
    copies: list[bytes] = []

    async def read_slowly(bad: Reader) -> None:
        peer = await bad.accept()
        copy = bytearray()
        while chunk := await peer.receive_some(100_000):
            copy += chunk
            await trio.sleep(0.001)
        copies.append(bytes(copy))
        peer.close()

    with trio.fail_after(30):
        async with (
            reader(kind, tmp_path) as bad,
            mirrored(bad.text + BLOCK, mode=mode) as proxied,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(read_slowly, bad)
            connection = await proxied.connect()
            request, response = await exchange(connection, data, data, seed=1, largest=300_000)
            assert_same(request.received, data)
            assert_same(response.received, data)
            assert (await proxied.account())["state"] == "complete"
    assert_same(copies[0], data)


@all_kinds
async def test_without_its_mirror_a_connection_is_reset(kind: str, tmp_path: Path) -> None:
    with trio.fail_after(30), refusing(kind, tmp_path) as text:
        async with mirrored(text + BLOCK) as proxied:
            client = await proxied.open_client()
            assert await client.receive_rest() == (b"", "reset")
            assert (await proxied.line())["reason"] == "mirror_failed"


@pytest.mark.usefixtures("impatient")
async def test_a_mirror_that_does_not_answer_holds_back_then_resets() -> None:
    with trio.fail_after(30), full_tcp_backlog() as (address, _):
        async with mirrored(f"tcp://{address}{BLOCK}") as proxied:
            connection = await proxied.connect()
            received, _ = await connection.backend.receive_rest()
            assert received == b""
            assert (await proxied.line())["reason"] == "mirror_failed"


async def test_a_mirror_that_fails_behind_a_half_close(tmp_path: Path) -> None:
    """The request has ended, the answer has not, and the request's copy is lost."""
    with trio.fail_after(30):
        async with reader("tcp", tmp_path) as bad:
            text = f"{bad.text}?overflow=block&buffer=4MiB"
            async with mirrored(text) as proxied:
                connection = await proxied.connect()
                peer = await bad.accept()
                await connection.client.send(DATA[:2_000_000])
                connection.client.finish()
                assert_same(await connection.backend.receive_exactly(2_000_000), DATA[:2_000_000])
                assert proxied.mirrors.budget.used_bytes > 0
                await assert_quiet()
                # The backend has not been told that this was all.
                peer.reset()
                assert await connection.backend.receive_rest() == (b"", "reset")
                assert await connection.client.receive_rest() == (b"", "reset")
                assert (await proxied.line())["reason"] == "mirror_failed"


async def test_one_mirror_that_stands_still_holds_its_own_connection_only(tmp_path: Path) -> None:
    """Even where it has used the whole budget up."""
    with trio.fail_after(30):
        async with reader("tcp", tmp_path) as bad:
            text = f"{bad.text}?overflow=block&buffer=8MiB"
            async with (
                mirrored(text, mirror_budget_bytes=200_000) as proxied,
                trio.open_nursery() as nursery,
            ):
                stuck = await proxied.connect()
                await bad.accept()
                traffic = Traffic(stuck, nursery)
                await traffic.held(proxied)
                other = await proxied.connect()
                nursery.start_soon(read_all, await bad.accept())
                request, _ = await exchange(other, DATA[:1_000_000], b"", seed=1, largest=50_000)
                assert_same(request.received, DATA[:1_000_000])
                traffic.stop()
                await trio.lowlevel.checkpoint()
                proxied.worker.reset_all("stopped")


async def read_all(peer: Peer) -> None:
    while await peer.receive_some():
        pass
    peer.close()


async def test_a_held_source_that_is_reset_is_still_noticed(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with (
            reader("tcp", tmp_path) as bad,
            mirrored(bad.text + BLOCK) as proxied,
            trio.open_nursery() as nursery,
        ):
            connection = await proxied.connect()
            peer = await bad.accept()
            traffic = Traffic(connection, nursery)
            await traffic.held(proxied)
            traffic.stop()
            await trio.lowlevel.checkpoint()
            connection.client.reset()
            await assert_quiet()
            ends: dict[str, tuple[bytes, str]] = {}

            async def receive(name: str, end: Peer) -> None:
                ends[name] = await end.receive_rest()
                end.close()

            async with trio.open_nursery() as receivers:
                receivers.start_soon(receive, "backend", connection.backend)
                receivers.start_soon(receive, "mirror", peer)
            account = await proxied.account()
            assert (await proxied.line())["reason"] == "client_reset"
    assert (ends["backend"][1], ends["mirror"][1]) == ("reset", "reset")
    # All that the backend got is in the copy.
    assert_same(ends["mirror"][0], bytes(traffic.received) + ends["backend"][0])
    assert account["delivered_bytes"] == len(ends["mirror"][0])
