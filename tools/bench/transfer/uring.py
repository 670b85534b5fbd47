"""io_uring(7) beside the system calls that do the same: file to socket, socket to socket.

Where a ring cannot be had, each of its rows says why, and the others stand alone.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from spliceproxy.kernel import syscalls
from tools.bench import ports
from tools.bench.transfer import answers, files, relays
from tools.bench.transfer.counting import counting
from tools.bench.transfer.files import BUFFER_SIZES, FILE_BYTES, opened
from tools.bench.transfer.stage import Stage, wait_acknowledged
from tools.bench.transfer.trial import BULK, SYSCALLS, Clock, Measure, Trial, size_name
from tools.bench.transfer.uring_moves import FILE_WAYS, RELAY_WAYS, FileWay, MoveFile
from tools.bench.works.work import Sample
from tools.companions.techniques.sender import Method

FILE, RELAY, MESSAGE = "uring-file", "uring-relay", "uring-message"
SIZES = BUFFER_SIZES[1:]
CALLS: dict[str, Method] = {"read, send": "readwrite", "splice": "splice"}
RELAY_CALLS: dict[str, relays.SizedWay] = {
    "recv, send": relays.copying,
    "splice": relays.splicing,
}
FILE_BASELINE = f"read, send {size_name(SIZES[0])}"
RELAY_BASELINE = f"recv, send {size_name(SIZES[0])}"
MESSAGE_BASELINE = "recv, send"
MESSAGE_BYTES = 100


def send_file(move: MoveFile, file_fd: int, piece_bytes: int, sock: socket.socket) -> None:
    """Send the whole file."""
    for offset in range(0, FILE_BYTES, piece_bytes):
        move(file_fd, offset, min(piece_bytes, FILE_BYTES - offset), sock)


def _file(way: FileWay, piece_bytes: int) -> Measure:
    def measure(stage: Stage) -> Sample:
        path = stage.file(FILE_BYTES)
        with way(piece_bytes) as move, opened(path) as fd, stage.connected("drain") as sock:
            clock, moved_bytes = Clock(stage.cache_misses), 0
            while not moved_bytes or clock.elapsed_s < stage.seconds:
                send_file(move, fd, piece_bytes, sock)
                moved_bytes += FILE_BYTES
            wait_acknowledged(sock)
            sample = clock.sample(moved_bytes)
            with counting() as count:
                send_file(move, fd, piece_bytes, sock)
            wait_acknowledged(sock)
        return {**sample, SYSCALLS.name: count.calls / (FILE_BYTES / (1 << 20))}

    return measure


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect two TCP sockets of this process to each other; they do not block."""
    with socket.create_server((ports.HOST, 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _address = listener.accept()
    with near, far:
        for sock in (near, far):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
        yield near, far


def _message(way: relays.SizedWay, stage: Stage) -> Sample:
    with pair() as (near, source), way(BUFFER_SIZES[1]) as move:

        def send(destination: socket.socket) -> None:
            syscalls.send(near, bytes(MESSAGE_BYTES))
            relays.relay(move, source, destination, MESSAGE_BYTES)

        return answers.measured(stage, send, MESSAGE_BYTES, nodelay=True)


def _files() -> dict[str, Measure]:
    by_calls = {
        f"{name} {size_name(size)}": files.warm(method, size)
        for name, method in CALLS.items()
        for size in SIZES
    }
    by_ring = {
        f"{name} {size_name(size)}": _file(way, size)
        for name, way in FILE_WAYS.items()
        for size in SIZES
    }
    return by_calls | by_ring


def trials() -> list[Trial]:
    ways = RELAY_CALLS | RELAY_WAYS
    relayed = {
        f"{name} {size_name(size)}": relays.measured(partial(way, size))
        for name, way in ways.items()
        for size in SIZES
    }
    return [
        Trial(
            FILE,
            f"file of {size_name(FILE_BYTES)} in memory → socket, by io_uring and by its rivals",
            BULK,
            _files(),
            FILE_BASELINE,
        ),
        Trial(
            RELAY,
            "socket → socket, by io_uring and by its rivals",
            BULK,
            relayed,
            RELAY_BASELINE,
        ),
        Trial(
            MESSAGE,
            f"answers of {MESSAGE_BYTES} bytes that come from another socket",
            answers.METRICS,
            {name: partial(_message, way) for name, way in ways.items()},
            MESSAGE_BASELINE,
        ),
    ]
