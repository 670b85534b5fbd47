"""The sending process: writes a known stream into a ring or a descriptor, then tells its cost.

Started by `ways` as `python -m tools.companions.ring.sender WAY ORDER`, with what it needs open.
The block that it repeats, and the order that it takes as JSON, are shared with the receiver.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from random import Random

from tools.companions.ring.errors import RingError
from tools.companions.ring.ring import Ring, Wake

Write = Callable[[memoryview], None]


@dataclass(frozen=True)
class Order:
    """What to send. `die_after_bytes` is for those who want to see a writer die; 0 is never."""

    total_bytes: int
    chunk_bytes: int
    timeout_s: float
    is_checked: bool = False
    die_after_bytes: int = 0

    def as_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Cost:
    """What sending took, without starting the process, and a CRC-32 of it all where asked for."""

    cpu_s: float
    crc32: int


def block(size_bytes: int) -> bytes:
    """Return bytes without a pattern, the same in every process."""
    return Random(size_bytes).randbytes(size_bytes)  # noqa: S311 - a payload, not a secret


def send(write: Write, order: Order) -> Cost:
    """Send the block over and over, up to the total."""
    data = memoryview(block(order.chunk_bytes))
    began_s, left_bytes, crc32 = time.process_time(), order.total_bytes, 0
    die_at_left_bytes = order.total_bytes - order.die_after_bytes if order.die_after_bytes else -1
    while left_bytes:
        piece = data[: min(left_bytes, len(data))]
        write(piece)
        left_bytes -= len(piece)
        if order.is_checked:
            crc32 = zlib.crc32(piece, crc32)
        if left_bytes <= die_at_left_bytes:
            os.kill(os.getpid(), signal.SIGKILL)
    return Cost(time.process_time() - began_s, crc32)


@contextmanager
def _writing(way: list[str], order: Order) -> Iterator[Write]:
    if way[0] == "fd":
        fd = int(way[1])

        def write_all(data: memoryview) -> None:
            while data:
                data = data[os.write(fd, data) :]

        try:
            yield write_all
        finally:
            os.close(fd)
        return
    wake: Wake = "poll" if way[0] == "poll" else "eventfd"
    memory_fd, filled_fd, freed_fd, reader_fd = map(int, way[1].split(","))
    with Ring(memory_fd, filled_fd, freed_fd, wake).writer(reader_fd) as writer:
        yield lambda data: writer.write(data, order.timeout_s)


def main(way: str, order_json: str) -> None:
    order = Order(**json.loads(order_json))
    with _writing(way.split(":"), order) as write:
        cost = send(write, order)
    print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except (RingError, OSError) as error:
        sys.exit(f"sender: {error}")
