"""File to socket, by every technique, with buffers of several sizes, from memory and from disk."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tools.bench.transfer import waiting
from tools.bench.transfer.counting import counting
from tools.bench.transfer.stage import Stage, wait_acknowledged
from tools.bench.transfer.trial import BULK, SYSCALLS, Clock, Measure, Trial, size_name
from tools.bench.works.work import Sample
from tools.companions.techniques.opening import open_sender
from tools.companions.techniques.sender import METHODS, Method

BUFFER_SIZES = (4 << 10, 64 << 10, 1 << 20)
FILE_BYTES = 64 << 20
BASELINE = f"readwrite {size_name(64 << 10)}"
WARM, COLD = "file-warm", "file-cold"


@contextmanager
def opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def send(
    method: Method, file_fd: int, size_bytes: int, buffer_bytes: int, sock: socket.socket
) -> None:
    """Send a file's content from its beginning, waiting for room as often as needed."""
    with closing(open_sender(method, file_fd, 0, size_bytes, buffer_bytes=buffer_bytes)) as sender:
        while sender.left_bytes:
            try:
                sender.send_some(sock, buffer_bytes)
            except BlockingIOError:
                waiting.until_writable(sock)


def calls_per_mib(stage: Stage, method: Method, size_bytes: int, buffer_bytes: int) -> float:
    """Count the system calls of a pass of its own."""
    with opened(stage.file(size_bytes)) as fd, stage.connected("drain") as sock:
        with counting() as count:
            send(method, fd, size_bytes, buffer_bytes, sock)
        wait_acknowledged(sock)
    return count.calls / (size_bytes / (1 << 20))


def warm(method: Method, buffer_bytes: int) -> Measure:
    """Send a file that is in memory, over and over."""

    def measure(stage: Stage) -> Sample:
        path = stage.file(FILE_BYTES)
        with opened(path) as fd, stage.connected("drain") as sock:
            clock, moved_bytes = Clock(stage.cache_misses), 0
            while not moved_bytes or clock.elapsed_s < stage.seconds:
                send(method, fd, FILE_BYTES, buffer_bytes, sock)
                moved_bytes += FILE_BYTES
            wait_acknowledged(sock)
            sample = clock.sample(moved_bytes)
        calls = calls_per_mib(stage, method, FILE_BYTES, buffer_bytes)
        return {**sample, SYSCALLS.name: calls}

    return measure


def _cold(method: Method, buffer_bytes: int) -> Measure:
    def measure(stage: Stage) -> Sample:
        path = stage.file(FILE_BYTES)
        stage.cool(path)
        with opened(path) as fd, stage.connected("drain") as sock:
            clock = Clock(stage.cache_misses)
            send(method, fd, FILE_BYTES, buffer_bytes, sock)
            wait_acknowledged(sock)
            return clock.sample(FILE_BYTES)

    return measure


def trials() -> list[Trial]:
    pairs = [(method, size) for method in METHODS for size in BUFFER_SIZES]
    return [
        Trial(
            WARM,
            f"file of {size_name(FILE_BYTES)} in memory → socket, by technique and buffer",
            BULK,
            {f"{method} {size_name(size)}": warm(method, size) for method, size in pairs},
            BASELINE,
        ),
        Trial(
            COLD,
            f"file of {size_name(FILE_BYTES)} on disk → socket, by technique and buffer",
            tuple(metric for metric in BULK if metric is not SYSCALLS),
            {f"{method} {size_name(size)}": _cold(method, size) for method, size in pairs},
            BASELINE,
        ),
    ]
