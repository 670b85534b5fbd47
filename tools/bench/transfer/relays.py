"""Socket to socket: by copying, by splice, and by splice with a tee on the way.

The other techniques start from a file or from memory, and have no way from a socket to a socket.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import Pipe
from tools.bench.errors import BenchError
from tools.bench.transfer import waiting
from tools.bench.transfer.counting import counting
from tools.bench.transfer.files import BUFFER_SIZES
from tools.bench.transfer.stage import Stage, wait_acknowledged
from tools.bench.transfer.trial import BULK, SYSCALLS, Clock, Measure, Trial, size_name
from tools.bench.works.work import Sample

RELAY = "relay"
COPY, SPLICE, TEE = "copy", "splice", "splice+tee"
BASELINE = f"{COPY} {size_name(64 << 10)}"
_COUNTED_BYTES = 16 << 20

Move = Callable[[socket.socket, socket.socket], int]
"""Take once from the first socket and bring all of that into the second; how much it was.

Raises BlockingIOError when there is nothing to take.
"""

Way = Callable[[], AbstractContextManager[Move]]

SizedWay = Callable[[int], AbstractContextManager[Move]]
"""Make ready to move at most so many bytes at once."""


def fill(source_fd: int, pipe: Pipe, wanted_bytes: int) -> int:
    """Splice into an empty pipe; how much it took."""
    return syscalls.splice(source_fd, pipe.write_fd, wanted_bytes, flags=syscalls.SPLICE_NONBLOCK)


def drain(pipe: Pipe, count: int, destination: socket.socket) -> None:
    """Empty a pipe that holds so many bytes, waiting for room."""
    while count:
        try:
            count -= syscalls.splice(
                pipe.read_fd, destination.fileno(), count, flags=syscalls.SPLICE_NONBLOCK
            )
        except BlockingIOError:
            waiting.until_writable(destination)


@contextmanager
def copying(buffer_bytes: int) -> Iterator[Move]:
    """Receive into the process and send from there."""

    def move(source: socket.socket, destination: socket.socket) -> int:
        data = syscalls.receive(source, buffer_bytes)
        left = memoryview(data)
        while left:
            try:
                left = left[syscalls.send(destination, left) :]
            except BlockingIOError:
                waiting.until_writable(destination)
        return len(data)

    yield move


@contextmanager
def splicing(buffer_bytes: int) -> Iterator[Move]:
    """Splice through a pipe of the buffer's size."""
    with closing(Pipe(buffer_bytes, buffer_bytes)) as pipe:

        def move(source: socket.socket, destination: socket.socket) -> int:
            count = fill(source.fileno(), pipe, buffer_bytes)
            drain(pipe, count, destination)
            return count

        yield move


@contextmanager
def teeing(buffer_bytes: int) -> Iterator[Move]:
    """Splice, and give a second reference to each page to /dev/null: a mirror at its cheapest."""
    with (
        open(os.devnull, "wb", 0) as nowhere,  # noqa: PTH123 - without a buffer
        closing(Pipe(buffer_bytes, buffer_bytes)) as pipe,
        closing(Pipe(buffer_bytes, buffer_bytes)) as copy,
    ):

        def move(source: socket.socket, destination: socket.socket) -> int:
            count = fill(source.fileno(), pipe, buffer_bytes)
            copied = syscalls.tee(pipe.read_fd, copy.write_fd, count)
            if copied < count:
                raise BenchError(f"tee gave {copied:,} of {count:,} bytes")
            syscalls.splice(copy.read_fd, nowhere.fileno(), copied)
            drain(pipe, count, destination)
            return count

        yield move


def relay(move: Move, source: socket.socket, destination: socket.socket, wanted_bytes: int) -> int:
    """Move at least so many bytes, waiting for more where there are none."""
    moved_bytes = 0
    while moved_bytes < wanted_bytes:
        try:
            moved_bytes += move(source, destination)
        except BlockingIOError:
            waiting.until_readable(source)
    return moved_bytes


def measured(way: Way) -> Measure:
    """Relay for the time of a measurement, then count the calls of a little more."""

    def measure(stage: Stage) -> Sample:
        with (
            way() as move,
            stage.connected("flood") as source,
            stage.connected("drain") as destination,
        ):
            clock, moved_bytes = Clock(stage.cache_misses), 0
            while not moved_bytes or clock.elapsed_s < stage.seconds:
                moved_bytes += relay(move, source, destination, 1 << 20)
            wait_acknowledged(destination)
            sample = clock.sample(moved_bytes)
            with counting() as count:
                counted_bytes = relay(move, source, destination, _COUNTED_BYTES)
        return {**sample, SYSCALLS.name: count.calls / (counted_bytes / (1 << 20))}

    return measure


def trials() -> list[Trial]:
    ways = {COPY: copying, SPLICE: splicing, TEE: teeing}
    contestants = {
        f"{name} {size_name(size)}": measured(partial(way, size))
        for name, way in ways.items()
        for size in BUFFER_SIZES
    }
    title = "socket → socket, by technique and buffer (splice: a pipe of that size)"
    return [Trial(RELAY, title, BULK, contestants, BASELINE)]
