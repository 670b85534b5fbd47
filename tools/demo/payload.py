"""Bytes that both ends can make from a seed, fast enough not to slow a transfer down."""

import random
import struct
from collections.abc import Iterator

BLOCK_BYTES = 1 << 20
_COUNTER = struct.Struct(">Q")


def blocks(total_bytes: int, seed: int) -> Iterator[memoryview]:
    """Yield `total_bytes` in views of one block; a view is valid until the next is asked for.

    Every block is the same random bytes behind a counter, so a lost, doubled or swapped
    stretch shows, and making a block costs nothing.
    """
    block = bytearray(random.Random(seed).randbytes(min(total_bytes, BLOCK_BYTES)))  # noqa: S311
    left_bytes = total_bytes
    number = 0
    while left_bytes > 0:
        if left_bytes >= _COUNTER.size:
            _COUNTER.pack_into(block, 0, number)
        length = min(left_bytes, BLOCK_BYTES)
        yield memoryview(block)[:length]
        left_bytes -= length
        number += 1
