"""Blocks of a file at random offsets, every byte of them under a checksum."""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Sequence
from random import Random


def draw_offsets(size_bytes: int, block_bytes: int, count: int) -> list[int]:
    """Draw so many multiples of the block's size, the same in every run.

    Raises:
        ValueError: the file is smaller than a block.
    """
    blocks = size_bytes // block_bytes
    if not blocks:
        raise ValueError(f"{size_bytes:,} bytes have no block of {block_bytes:,}")
    drawn = Random(count).choices(range(blocks), k=count)  # noqa: S311 - no secret
    return [block * block_bytes for block in drawn]


def by_pread(fd: int, offsets: Sequence[int], block_bytes: int) -> int:
    """Return the CRC-32 of the blocks, each read into a string of its own."""
    checksum = 0
    for offset in offsets:
        checksum = zlib.crc32(os.pread(fd, block_bytes, offset), checksum)
    return checksum


def by_preadv(fd: int, offsets: Sequence[int], block_bytes: int) -> int:
    """Return the CRC-32 of the blocks, all read into one buffer."""
    buffer, checksum = bytearray(block_bytes), 0
    into = [buffer]
    for offset in offsets:
        os.preadv(fd, into, offset)
        checksum = zlib.crc32(buffer, checksum)
    return checksum


def by_map(mapping: mmap.mmap, offsets: Sequence[int], block_bytes: int) -> int:
    """Return the CRC-32 of the blocks where they are mapped, without a copy."""
    checksum = 0
    with memoryview(mapping) as view:
        for offset in offsets:
            with view[offset : offset + block_bytes] as block:
                checksum = zlib.crc32(block, checksum)
    return checksum
