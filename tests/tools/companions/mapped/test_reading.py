"""Every way to read sees every byte: of a whole file, and of blocks at random offsets."""

import mmap
import os
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tools.companions.mapped import passes, random_access
from tools.companions.mapped.cost import cost_of
from tools.companions.mapped.passes import GRANULARITY_BYTES

CONTENT = os.urandom(10 * GRANULARITY_BYTES + 7)
CHECKSUM = zlib.crc32(CONTENT)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.mark.parametrize("buffer_bytes", [1000, 1 << 20])
def test_reads(fd: int, buffer_bytes: int) -> None:
    assert passes.by_read(fd, buffer_bytes) == CHECKSUM


def test_a_map_twice_and_one_with_advice(fd: int) -> None:
    with passes.whole_map(fd) as mapping:
        assert passes.by_map(mapping) == passes.by_map(mapping) == CHECKSUM
    assert passes.by_new_map(fd, mmap.MADV_HUGEPAGE) == CHECKSUM


@pytest.mark.parametrize("pages", [1, 3, 10, 11, 100])
def test_no_more_than_a_window_is_mapped(
    monkeypatch: pytest.MonkeyPatch, fd: int, pages: int
) -> None:
    real = mmap.mmap
    opened: list[mmap.mmap] = []

    def mapped(fd: int, length: int, **named: Any) -> mmap.mmap:
        assert all(window.closed for window in opened)
        opened.append(real(fd, length, **named))
        assert length <= pages * GRANULARITY_BYTES
        return opened[-1]

    monkeypatch.setattr("tools.companions.mapped.passes.mmap.mmap", mapped)
    assert passes.by_windows(fd, pages * GRANULARITY_BYTES) == CHECKSUM
    assert len(opened) == -(-11 // pages)


@pytest.mark.parametrize("window_bytes", [0, -GRANULARITY_BYTES, 1000])
def test_a_window_is_a_multiple_of_the_page_size(fd: int, window_bytes: int) -> None:
    with pytest.raises(ValueError, match="expected a multiple"):
        passes.by_windows(fd, window_bytes)


@pytest.mark.parametrize("block_bytes", [1, 64, 5000])
def test_blocks_at_random_places(fd: int, block_bytes: int) -> None:
    offsets = random_access.draw_offsets(len(CONTENT), block_bytes, 50)
    wanted = zlib.crc32(b"".join(CONTENT[at : at + block_bytes] for at in offsets))
    assert random_access.by_pread(fd, offsets, block_bytes) == wanted
    assert random_access.by_preadv(fd, offsets, block_bytes) == wanted
    with passes.whole_map(fd) as mapping:
        assert random_access.by_map(mapping, offsets, block_bytes) == wanted


def test_no_block_fits() -> None:
    with pytest.raises(ValueError, match="10 bytes have no block of 11"):
        random_access.draw_offsets(10, 11, 1)


def test_memory_that_was_read_costs_no_fault_again() -> None:
    with closing(mmap.mmap(-1, 64 * mmap.PAGESIZE)) as memory:
        assert cost_of(lambda: zlib.crc32(memory)).minor_faults >= 1
        assert cost_of(lambda: zlib.crc32(memory)).minor_faults == 0
