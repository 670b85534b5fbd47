"""`overflow=spill`: what the mirror cannot take now waits on disk, and comes later, in order."""

import os
import threading
from pathlib import Path

import pytest
import trio

from spliceproxy.sinks import spool_file
from spliceproxy.sinks.spool_file import SpoolFile
from spliceproxy.tap.chunk import Chunk
from tests.descriptors import open_descriptors
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.relay import eventually
from tests.sinks.places import Kind, Place, make_place
from tests.sinks.rig import MODES, Mode, Rig, rig
from tests.streams import Buffers

SPILLING: tuple[Kind, ...] = ("tcp", "tls", "unix", "exec")
BUFFER_BYTES = 64 << 10


@pytest.fixture(params=SPILLING)
def held_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return make_place(request.param, tmp_path, held=True, buffers=Buffers(4096, 4096))


def spilling(place: Place) -> str:
    return f"{place.text}?overflow=spill&buffer={BUFFER_BYTES}"


async def offer_slowly(mirrored: Rig, data: bytes, size: int) -> None:
    """As fast as the spool's disk; the reactor gets its turn after each chunk."""
    for start in range(0, len(data), size):
        mirrored.offer(data[start : start + size])
        spilled = mirrored.branch.spool
        assert spilled is not None
        await eventually(lambda: spilled._waiting_bytes + spilled._batch_bytes == 0)  # noqa: B023


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [50_000, 1000])
async def test_everything_is_delivered_later_in_order(
    held_place: Place, mode: Mode, size: int
) -> None:
    data = random_bytes(200 * size)
    with trio.fail_after(30):
        async with held_place.open(), rig(spilling(held_place), mode=mode) as mirrored:
            await offer_slowly(mirrored, data, size)
            if size > 1000:  # more than the kernel takes on its own
                assert mirrored.branch.spool is not None
                assert mirrored.branch.spool.active
            assert mirrored.branch.queued_bytes <= 2 * BUFFER_BYTES + (256 << 10)
            assert mirrored.branch.open
            mirrored.end()
            held_place.release()
            await mirrored.over()
            received = await held_place.received()
            assert received is not None
            assert_same(received, data)
            assert mirrored.branch.state == "complete"


async def test_live_copies_come_behind_the_spilled_ones(held_place: Place) -> None:
    data = random_bytes(6_000_000)
    with trio.fail_after(30):
        async with held_place.open(), rig(spilling(held_place)) as mirrored:
            await offer_slowly(mirrored, data[:4_000_000], 40_000)
            held_place.release()
            await offer_slowly(mirrored, data[4_000_000:], 1000)
            mirrored.end()
            await mirrored.over()
            assert await held_place.received() == data


async def test_a_full_spool_ends_the_copy_behind_what_it_holds(held_place: Place) -> None:
    data = random_bytes(6_000_000)
    with trio.fail_after(30):
        async with held_place.open(), rig(spilling(held_place) + "&spool=1MiB") as mirrored:
            await offer_slowly(mirrored, data, 40_000)
            held_place.release()
            mirrored.end()
            await mirrored.over()
            branch = mirrored.branch
            assert branch.dropped_bytes > 0
            assert branch.delivered_bytes >= 1_000_000
            assert await held_place.received() == data[: branch.delivered_bytes]
            assert branch.state == "incomplete"
            assert [gap.offset for gap in branch.gaps] == [branch.delivered_bytes]


@pytest.mark.parametrize("mode", MODES)
async def test_a_disk_that_is_full_ends_the_copy(
    held_place: Place, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_file, "open_unlinked", lambda: os.open("/dev/full", os.O_RDWR))
    data = random_bytes(8_000_000)  # more than the kernel takes on its own
    with trio.fail_after(30):
        async with held_place.open(), rig(spilling(held_place), mode=mode) as mirrored:
            for start in range(0, len(data), 40_000):
                mirrored.offer(data[start : start + 40_000])
                await trio.sleep(0.002)
            await eventually(lambda: not mirrored.branch.open)
            held_place.release()
            mirrored.end()
            await mirrored.over()
            branch = mirrored.branch
            assert branch.reason.startswith("spool_")
            assert branch.offered_bytes == len(data)


async def test_what_a_thread_has_when_a_mirror_fails_is_lost_and_not_queued(
    held_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_goes_on = threading.Event()
    write = SpoolFile.write

    def write_late(self: SpoolFile, chunks: list[Chunk]) -> None:
        disk_goes_on.wait(30)
        write(self, chunks)

    monkeypatch.setattr(SpoolFile, "write", write_late)
    with trio.fail_after(30):
        async with held_place.open(), rig(spilling(held_place)) as mirrored:
            try:
                branch = mirrored.branch
                spool = branch.spool
                assert spool is not None
                while not spool._batch_bytes:
                    mirrored.offer(random_bytes(40_000))
                    await trio.sleep(0.002)
                branch.fail("mirror_reset")
                await eventually(lambda: branch.over)
                assert spool._batch_bytes > 0
                assert branch.held_bytes == 0
                assert branch.offered_bytes == branch.delivered_bytes + branch.dropped_bytes
            finally:
                disk_goes_on.set()
            await eventually(lambda: not mirrored.mirrors.mirrors[0].disk.jobs)
            held_place.release()


async def test_what_comes_back_from_the_disk_stays_within_the_memory(held_place: Place) -> None:
    data = random_bytes(8_000_000)
    budget_bytes = 1 << 20
    with trio.fail_after(30):
        async with (
            held_place.open(),
            rig(f"{held_place.text}?overflow=spill", budget_bytes=budget_bytes) as mirrored,
        ):
            await offer_slowly(mirrored, data, 40_000)
            disk = mirrored.mirrors.mirrors[0].disk
            await eventually(lambda: not disk.jobs)
            assert mirrored.branch.open
            assert mirrored.mirrors.budget.used_bytes <= budget_bytes
            mirrored.end()
            held_place.release()
            await mirrored.over()
            assert await held_place.received() == data


async def test_the_spool_has_no_name(
    held_place: Place,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    nameless = nameless_files()
    with trio.fail_after(30):
        async with held_place.open(), rig(spilling(held_place)) as mirrored:
            await offer_slowly(mirrored, random_bytes(6_000_000), 50_000)
            assert mirrored.branch.spool is not None
            assert mirrored.branch.spool.active
            assert nameless_files() == nameless + 1
            assert list(directory.iterdir()) == []
            held_place.release()


def nameless_files() -> int:
    """How many open files are in no directory."""
    return sum("(deleted)" in name for name in open_descriptors().values())
