"""A disk that runs full, a small tmpfs: each policy of `file:`, and a spool on it."""

import ctypes
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.mirroring.bad_mirrors import reader
from tests.mirroring.mirrored import mirrored
from tests.mirroring.records import gaps_of
from tests.proxy.judge import exchange
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.relay import Mode, eventually, three_modes
from tests.sinks.gaps import assert_equal_outside_of_gaps
from tests.sinks.places import FilePlace

DISK_BYTES = 1 << 20
DATA = random_bytes(3_000_000)
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted tmpfs of a megabyte; it takes root's rights."""
    directory = tmp_path / "disk"
    directory.mkdir()
    options = f"size={DISK_BYTES},mode=700".encode()
    if _libc.mount(b"none", bytes(directory), b"tmpfs", 0, options) != 0:
        pytest.skip(f"cannot mount: {os.strerror(ctypes.get_errno())}")
    try:
        yield directory
    finally:
        _libc.umount2(bytes(directory), 2)  # MNT_DETACH


@three_modes
async def test_detach_ends_the_copy_and_not_the_traffic(mode: Mode, small_disk: Path) -> None:
    place = FilePlace(small_disk)
    with trio.fail_after(30):
        async with mirrored(f"{place.text}?direction=request", mode=mode) as proxied:
            connection = await proxied.connect()
            request, response = await exchange(connection, DATA, DATA, seed=1, largest=200_000)
            account = await proxied.account()
            assert (await proxied.line())["reason"] == "closed"
    assert_same(request.received, DATA)
    assert_same(response.received, DATA)
    assert account["reason"] == "file_enospc"
    assert 0 < account["delivered_bytes"] <= DISK_BYTES
    copy = place.stream()
    assert_same(copy, DATA[: len(copy)])
    assert len(copy) == account["delivered_bytes"]


@three_modes
async def test_gap_goes_on_when_there_is_room_again(mode: Mode, small_disk: Path) -> None:
    place = FilePlace(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(DISK_BYTES - (300 << 10)))
    parts = [DATA[:200_000], DATA[200_000:900_000], DATA[900_000:1_200_000]]
    with trio.fail_after(30):
        text = f"{place.text}?direction=request&overflow=gap"
        async with mirrored(text, mode=mode) as proxied:
            connection = await proxied.connect()
            for number, part in enumerate(parts):
                await connection.client.send(part)
                assert_same(await connection.backend.receive_exactly(len(part)), part)
                await eventually(lambda: proxied.mirrors.budget.used_bytes == 0)
                if number == 1:
                    filler.unlink()
            connection.client.finish()
            connection.backend.finish()
            account = await proxied.account()
    sent = b"".join(parts)
    gaps = gaps_of(small_disk)["request"]
    assert account["reason"] == "file_enospc"
    assert sum(gap.length for gap in gaps) == account["dropped_bytes"] > 0
    assert gaps[-1].offset + gaps[-1].length <= 900_000
    copy = place.stream()
    assert len(copy) == len(sent)
    assert_equal_outside_of_gaps(copy, sent, gaps)


@three_modes
async def test_block_resets_the_connection(mode: Mode, small_disk: Path) -> None:
    place = FilePlace(small_disk)
    with trio.fail_after(30):
        text = f"{place.text}?direction=request&overflow=block&buffer=100000"
        async with mirrored(text, mode=mode) as proxied:
            connection = await proxied.connect()
            request, _ = await exchange(connection, DATA, b"", seed=1, largest=200_000)
            line = await proxied.line()
    assert line["reason"] == "mirror_failed"
    assert request.end == "reset"
    # What got through without a record is what was under way when the disk was full.
    assert len(request.received) <= DISK_BYTES + 100_000 + 2 * (1 << 20)


@three_modes
@pytest.mark.usefixtures("small_mirror_sockets")
async def test_a_spool_on_a_full_disk_costs_the_copy_and_not_the_traffic(
    mode: Mode, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    with trio.fail_after(30):
        async with (
            reader("tcp", tmp_path) as held,
            mirrored(f"{held.text}?overflow=spill&buffer=100000", mode=mode) as proxied,
        ):
            connection = await proxied.connect()
            request, _ = await exchange(connection, DATA, b"", seed=1, largest=200_000)
            assert_same(request.received, DATA)
            copy, _ = await (await held.accept()).receive_rest()
            account = await proxied.account()
    assert account["reason"] == "spool_enospc"
    assert_same(copy, DATA[: len(copy)])
    assert account["delivered_bytes"] >= len(copy)
    assert account["offered_bytes"] == len(DATA)


@pytest.fixture
def file_limit() -> Iterator[int]:
    """No file may grow beyond that (RLIMIT_FSIZE): EFBIG, for users without root's rights too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, hard))
    yield DISK_BYTES
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@three_modes
@pytest.mark.parametrize("overflow", ["detach", "gap", "block"])
async def test_a_file_that_may_not_grow(
    mode: Mode, overflow: str, file_limit: int, tmp_path: Path
) -> None:
    place = FilePlace(tmp_path)
    with trio.fail_after(30):
        text = f"{place.text}?direction=request&overflow={overflow}"
        async with mirrored(text, mode=mode) as proxied:
            connection = await proxied.connect()
            request, _ = await exchange(connection, DATA, b"", seed=1, largest=200_000)
            account = await proxied.account()
            line = await proxied.line()
    assert account["reason"] == "file_efbig"
    assert line["reason"] == ("mirror_failed" if overflow == "block" else "closed")
    if overflow != "block":
        assert_same(request.received, DATA)
    assert account["delivered_bytes"] == file_limit
    assert_same(place.stream(), DATA[:file_limit])
    gaps = gaps_of(tmp_path)["request"]
    assert [gap.offset for gap in gaps] == [file_limit]
