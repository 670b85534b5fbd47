"""What every kind of sink has to do alike."""

import random

import pytest
import trio
import trio.lowlevel

from spliceproxy.sinks.branch_queue import MERGE_BYTES
from tests.proxy.payload import assert_same, random_bytes
from tests.sinks.places import Place
from tests.sinks.rig import MODES, Mode, rig

both_modes = pytest.mark.parametrize("mode", MODES)


async def assert_received(place: Place, data: bytes) -> None:
    received = await place.received()
    if received is not None:
        assert_same(received, data)


@both_modes
@pytest.mark.parametrize("seed", range(3))
async def test_bytes_arrive_exactly_and_in_order(place: Place, mode: Mode, seed: int) -> None:
    chunks = random.Random(seed)
    sizes = [int(2 ** chunks.uniform(0, 20)) for _ in range(40)]
    data = random_bytes(sum(sizes), seed)
    with trio.fail_after(30):
        async with place.open(), rig(f"{place.text}?buffer=64MiB", mode=mode) as mirrored:
            sent = 0
            for size in sizes:
                mirrored.offer(data[sent : sent + size])
                sent += size
                if chunks.random() < 0.5:
                    await trio.lowlevel.checkpoint()
            mirrored.end()
            await mirrored.over()
            await assert_received(place, data)
            assert mirrored.branch.delivered_bytes == len(data)
            assert (mirrored.branch.state, mirrored.branch.reason) == ("complete", "")


@both_modes
async def test_small_messages_are_merged_and_hold_no_pipes(place: Place, mode: Mode) -> None:
    data = random_bytes(3000 * 100)
    with trio.fail_after(30):
        async with place.open(), rig(f"{place.text}?buffer=8MiB", mode=mode) as mirrored:
            for start in range(0, len(data), 100):
                mirrored.offer(data[start : start + 100])
                assert len(mirrored.branch.queue) <= len(data) // MERGE_BYTES + 1
                assert mirrored.pipes_in_use() == 0
            mirrored.end()
            await mirrored.over()
            await assert_received(place, data)


@both_modes
async def test_large_chunks(place: Place, mode: Mode) -> None:
    data = random_bytes(12 << 20)
    with trio.fail_after(30):
        async with place.open(), rig(f"{place.text}?buffer=64MiB", mode=mode) as mirrored:
            for start in range(0, len(data), 1 << 20):
                mirrored.offer(data[start : start + (1 << 20)])
            mirrored.end()
            await mirrored.over()
            await assert_received(place, data)


@both_modes
async def test_more_chunks_than_there_are_tap_pipes(place: Place, mode: Mode) -> None:
    data = random_bytes(100 * 20_000)
    with trio.fail_after(30):
        async with place.open(), rig(f"{place.text}?buffer=64MiB", mode=mode) as mirrored:
            for start in range(0, len(data), 20_000):
                mirrored.offer(data[start : start + 20_000])
            mirrored.end()
            await mirrored.over()
            await assert_received(place, data)


@both_modes
async def test_an_aborted_stream_is_delivered_and_marked_incomplete(
    place: Place, mode: Mode
) -> None:
    data = random_bytes(1 << 20)
    with trio.fail_after(30):
        async with place.open(), rig(place.text, mode=mode) as mirrored:
            mirrored.offer(data)
            await trio.sleep(0.02)
            mirrored.end(clean=False)
            await mirrored.over()
            await assert_received(place, data)
            branch = mirrored.branch
            assert (branch.state, branch.reason) == ("incomplete", "connection_aborted")
            assert (branch.delivered_bytes, branch.dropped_bytes) == (len(data), 0)
            if place.text.startswith(("tcp:", "tls:")):
                assert place.end == "reset"


async def test_a_clean_end_is_seen_as_one(place: Place) -> None:
    with trio.fail_after(30):
        async with place.open(), rig(place.text) as mirrored:
            mirrored.offer(b"all there is")
            mirrored.end()
            await mirrored.over()
            await assert_received(place, b"all there is")
            assert place.end in {"eof", None}


@pytest.mark.parametrize("clean", [True, False])
async def test_a_stream_without_a_byte(place: Place, clean: bool) -> None:
    with trio.fail_after(30):
        async with place.open(), rig(place.text) as mirrored:
            mirrored.end(clean=clean)
            await mirrored.over()
            await assert_received(place, b"")
            assert mirrored.branch.offered_bytes == 0


@both_modes
async def test_no_more_than_max_bytes_is_offered(place: Place, mode: Mode) -> None:
    data = random_bytes(300_000)
    with trio.fail_after(30):
        async with place.open(), rig(f"{place.text}?max_bytes=100000", mode=mode) as mirrored:
            for start in range(0, len(data), 30_000):
                mirrored.offer(data[start : start + 30_000])
            mirrored.end()
            await mirrored.over()
            await assert_received(place, data[:100_000])
            branch = mirrored.branch
            assert (branch.offered_bytes, branch.delivered_bytes) == (100_000, 100_000)
            assert branch.state == "complete"


@both_modes
@pytest.mark.parametrize("pause_s", [0.0, 0.03])
async def test_cut_in_the_middle_leaves_nothing(place: Place, mode: Mode, pause_s: float) -> None:
    data = random_bytes(600_000)
    with trio.fail_after(30):
        async with place.open(), rig(place.text, mode=mode) as mirrored:
            mirrored.offer(data)
            await trio.sleep(pause_s)
            mirrored.offer(data)
            mirrored.cut()
            mirrored.offer(data)  # a flow does not know of it
            mirrored.end(clean=False)
            await mirrored.over()
            assert mirrored.branch.offered_bytes == 3 * len(data)
            assert mirrored.branch.reason == "stopped"


@both_modes
async def test_a_stream_that_is_full_of_pauses(place: Place, mode: Mode) -> None:
    with trio.fail_after(30):
        async with place.open(), rig(place.text, mode=mode) as mirrored:
            for letter in b"abcdefgh":
                mirrored.offer(bytes([letter]) * 20_000)
                await trio.sleep(0.02)
            mirrored.end()
            await mirrored.over()
            await assert_received(place, b"".join(bytes([c]) * 20_000 for c in b"abcdefgh"))


@both_modes
async def test_stopping_at_once_in_the_middle_leaves_nothing(place: Place, mode: Mode) -> None:
    """As a worker does: cut, then close, and no event is served between."""
    with trio.fail_after(30):
        async with place.open(), rig(place.text, mode=mode, at_once=True) as mirrored:
            for _ in range(3):
                mirrored.offer(random_bytes(600_000))
            mirrored.end(clean=False)
