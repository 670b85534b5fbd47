"""Splice through pipes of several sizes, and through one that grows with its load."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from spliceproxy.kernel.pipes import Pipe
from tools.bench.transfer.counting import counting
from tools.bench.transfer.files import FILE_BYTES, opened
from tools.bench.transfer.growing_pipe import GrowingPipe
from tools.bench.transfer.relays import Move, drain, fill, measured, splicing
from tools.bench.transfer.stage import Stage, wait_acknowledged
from tools.bench.transfer.trial import BULK, SYSCALLS, Clock, Measure, Trial, size_name
from tools.bench.works.work import Sample

SIZES = (4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20)
BASELINE = size_name(64 << 10)  # the kernel's default
GROWING = "grows"
FILE, RELAY = "pipe-file", "pipe-relay"


@contextmanager
def growing() -> Iterator[Move]:
    """Relay through a pipe that grows with what the source has."""
    with closing(GrowingPipe()) as pipe:

        def move(source: socket.socket, destination: socket.socket) -> int:
            count = fill(source.fileno(), pipe, pipe.capacity_bytes)
            drain(pipe, count, destination)
            pipe.note_fill(count)
            return count

        yield move


def send(file_fd: int, pipe: Pipe, destination: socket.socket) -> None:
    """Splice a whole file through the pipe."""
    os.lseek(file_fd, 0, os.SEEK_SET)
    while count := fill(file_fd, pipe, pipe.capacity_bytes):
        drain(pipe, count, destination)
        if isinstance(pipe, GrowingPipe):
            pipe.note_fill(count)


def _file(capacity_bytes: int | None) -> Measure:
    def measure(stage: Stage) -> Sample:
        path = stage.file(FILE_BYTES)
        made = Pipe(capacity_bytes, capacity_bytes) if capacity_bytes else GrowingPipe()
        with closing(made) as pipe, opened(path) as fd, stage.connected("drain") as sock:
            clock, moved_bytes = Clock(stage.cache_misses), 0
            while not moved_bytes or clock.elapsed_s < stage.seconds:
                send(fd, pipe, sock)
                moved_bytes += FILE_BYTES
            wait_acknowledged(sock)
            sample = clock.sample(moved_bytes)
            with counting() as count:
                send(fd, pipe, sock)
        return {**sample, SYSCALLS.name: count.calls / (FILE_BYTES / (1 << 20))}

    return measure


def trials() -> list[Trial]:
    metrics = BULK
    from_files = {size_name(size): _file(size) for size in SIZES} | {GROWING: _file(None)}
    relayed = {size_name(size): measured(partial(splicing, size)) for size in SIZES}
    return [
        Trial(FILE, "file in memory → pipe → socket, by pipe size", metrics, from_files, BASELINE),
        Trial(
            RELAY,
            "socket → pipe → socket, by pipe size",
            metrics,
            relayed | {GROWING: measured(growing)},
            BASELINE,
        ),
    ]
