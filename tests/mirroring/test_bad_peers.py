"""Mirrors over sockets that misbehave: the traffic does not notice, the losses are counted."""

from pathlib import Path

import pytest
import trio
from structlog.typing import EventDict

from tests.mirroring.bad_mirrors import (
    never_answering,
    read_byte_by_byte,
    reader,
    refusing,
)
from tests.mirroring.mirrored import Mirrored, mirrored
from tests.proxy.judge import exchange
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import Mode, three_modes

REQUEST, RESPONSE = random_bytes(1_500_000, seed=1), random_bytes(300_000, seed=2)
BUFFER_BYTES = 100_000
pytestmark = pytest.mark.usefixtures("small_mirror_sockets")

KERNEL_BYTES = 200_000  # what small socket buffers hold, generously
LARGEST = 100_000

all_kinds = pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
by_tcp = pytest.mark.parametrize("kind", ["tcp", "tls"])
never_blocking = pytest.mark.parametrize("overflow", ["detach", "spill"])


def with_policy(text: str, overflow: str) -> str:
    return f"{text}?overflow={overflow}&buffer={BUFFER_BYTES}"


async def assert_traffic_is_right(proxied: Mirrored) -> EventDict:
    """All of it, both ways, in a clean end; the account of the only mirror."""
    connection = await proxied.connect()
    request, response = await exchange(connection, REQUEST, RESPONSE, seed=1, largest=LARGEST)
    assert_same(request.received, REQUEST)
    assert_same(response.received, RESPONSE)
    assert (request.end, response.end) == ("eof", "eof")
    line = await proxied.line()
    assert line["reason"] == "closed"
    [account] = line["mirrors"]
    assert account["offered_bytes"] == len(REQUEST)
    return dict(account)


@all_kinds
@three_modes
@never_blocking
async def test_nobody_listens(kind: str, mode: Mode, overflow: str, tmp_path: Path) -> None:
    with trio.fail_after(30), refusing(kind, tmp_path) as text:
        async with mirrored(with_policy(text, overflow), mode=mode) as proxied:
            account = await assert_traffic_is_right(proxied)
    assert account["dropped_bytes"] == len(REQUEST)
    assert account["reason"] == {"unix": "mirror_absent"}.get(kind, "mirror_refused")


@all_kinds
@three_modes
@never_blocking
@pytest.mark.usefixtures("impatient")
async def test_the_connect_hangs(kind: str, mode: Mode, overflow: str) -> None:
    with trio.fail_after(30), never_answering(kind) as text:
        async with mirrored(with_policy(text, overflow), mode=mode) as proxied:
            account = await assert_traffic_is_right(proxied)
    assert account["dropped_bytes"] == len(REQUEST)
    assert account["reason"] in {"connect_timeout", "buffer_full", "flush_timeout"}


@all_kinds
@three_modes
@pytest.mark.usefixtures("impatient")
async def test_it_accepts_and_never_reads(kind: str, mode: Mode, tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with (
            reader(kind, tmp_path) as bad,
            mirrored(with_policy(bad.text, "detach"), mode=mode) as proxied,
        ):
            account = await assert_traffic_is_right(proxied)
    assert account["reason"] == "buffer_full"
    # What a kernel has taken counts as delivered.
    assert account["delivered_bytes"] <= KERNEL_BYTES
    assert account["dropped_bytes"] >= len(REQUEST) - KERNEL_BYTES


@all_kinds
@three_modes
async def test_what_was_detached_is_a_prefix_for_the_mirror(
    kind: str, mode: Mode, tmp_path: Path
) -> None:
    with trio.fail_after(30):
        async with (
            reader(kind, tmp_path) as bad,
            mirrored(with_policy(bad.text, "detach"), mode=mode) as proxied,
        ):
            connection = await proxied.connect()
            await exchange(connection, REQUEST, RESPONSE, seed=1, largest=LARGEST)
            # The traffic is over; only now the mirror reads.
            received, end = await (await bad.accept()).receive_rest()
            account = await proxied.account()
    assert account["reason"] == "buffer_full"
    assert_same(received, REQUEST[: account["delivered_bytes"]])
    if kind != "unix":
        assert end == "reset"


@all_kinds
@three_modes
async def test_spilled_bytes_come_later_in_order(kind: str, mode: Mode, tmp_path: Path) -> None:
    with trio.fail_after(30):
        text = f"?overflow=spill&buffer={BUFFER_BYTES}"
        async with (
            reader(kind, tmp_path) as bad,
            mirrored(bad.text + text, mode=mode) as proxied,
        ):
            connection = await proxied.connect()
            peer = await bad.accept()
            data = REQUEST * 4
            outcomes = await exchange(connection, data, RESPONSE, seed=1, largest=LARGEST)
            assert_same(outcomes[0].received, data)
            received, end = await peer.receive_rest()
            peer.close()
            account = await proxied.account()
    assert account["state"] == "complete"
    assert_same(received, data)
    assert end == "eof"


@all_kinds
@three_modes
@pytest.mark.parametrize("overflow", ["detach", "spill"])
async def test_it_reads_byte_by_byte(kind: str, mode: Mode, overflow: str, tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with (
            reader(kind, tmp_path) as bad,
            mirrored(with_policy(bad.text, overflow), mode=mode) as proxied,
            trio.open_nursery() as nursery,
        ):
            received: list[bytes] = []

            async def read_slowly() -> None:
                peer = await bad.accept()
                received.append(await read_byte_by_byte(peer, 200))
                received.append((await peer.receive_rest())[0])
                peer.close()

            nursery.start_soon(read_slowly)
            account = await assert_traffic_is_right(proxied)
    assert_same(b"".join(received), REQUEST[: account["delivered_bytes"]])


@all_kinds
@three_modes
@never_blocking
async def test_it_fails_in_the_middle(kind: str, mode: Mode, overflow: str, tmp_path: Path) -> None:
    async def fail(peer: Peer) -> None:
        await peer.receive_exactly(50_000)
        peer.reset()

    with trio.fail_after(30):
        async with (
            reader(kind, tmp_path) as bad,
            mirrored(with_policy(bad.text, overflow), mode=mode) as proxied,
            trio.open_nursery() as nursery,
        ):

            async def fail_first() -> None:
                await fail(await bad.accept())

            nursery.start_soon(fail_first)
            account = await assert_traffic_is_right(proxied)
    assert account["reason"] in {"mirror_reset", "buffer_full", "mirror_closed"}
    assert account["dropped_bytes"] > 0


@by_tcp
async def test_a_mirror_that_ends_early_in_good_order(kind: str, tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with (
            reader(kind, tmp_path) as bad,
            mirrored(with_policy(bad.text, "detach")) as proxied,
            trio.open_nursery() as nursery,
        ):

            async def leave() -> None:
                peer = await bad.accept()
                await peer.receive_exactly(1)
                peer.finish()
                peer.close()

            nursery.start_soon(leave)
            account = await assert_traffic_is_right(proxied)
    assert account["state"] == "incomplete"


@by_tcp
async def test_a_mirror_that_half_closes_still_gets_everything(kind: str, tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with reader(kind, tmp_path) as good, mirrored(good.text) as proxied:
            connection = await proxied.connect()
            peer = await good.accept()
            peer.finish()
            await exchange(connection, REQUEST, RESPONSE, seed=1, largest=LARGEST)
            received, end = await peer.receive_rest()
            assert end == "eof"
            assert_same(received, REQUEST)
            assert (await proxied.account())["state"] == "complete"
