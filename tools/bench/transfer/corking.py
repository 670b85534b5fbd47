"""An answer of a header and a file: in how many segments it leaves, and what that costs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from spliceproxy.kernel import page_syscalls
from tools.bench.transfer import answers, waiting
from tools.bench.transfer.files import opened
from tools.bench.transfer.stage import Stage
from tools.bench.transfer.trial import Trial, size_name
from tools.bench.works.work import Sample
from tools.companions.shared.segments import corked

BODY_SIZES = (1 << 10, 64 << 10)
HEADER = bytes(250)  # about what a file server says about a file

NODELAY, CORK, MORE, NAGLE = "TCP_NODELAY", "TCP_CORK", "MSG_MORE", "neither"
BASELINE = NODELAY


def work_name(body_bytes: int) -> str:
    return f"cork-{body_bytes >> 10}k"


@contextmanager
def _framed(sock: socket.socket, way: str) -> Iterator[None]:
    """Send the header, and after the body what the way asks for to have the last bytes leave."""
    if way == CORK:
        with corked(sock):
            answers.send_all(sock, HEADER)
            yield
    else:
        answers.send_all(sock, HEADER, more=way == MORE)
        yield


def send_file(sock: socket.socket, file_fd: int, size_bytes: int) -> None:
    """Send a file's beginning by sendfile, waiting for room."""
    offset = 0
    while offset < size_bytes:
        try:
            offset += page_syscalls.sendfile(sock.fileno(), file_fd, offset, size_bytes - offset)
        except BlockingIOError:
            waiting.until_writable(sock)


def answer(sock: socket.socket, way: str, file_fd: int, body_bytes: int) -> None:
    """Send header and body."""
    with _framed(sock, way):
        send_file(sock, file_fd, body_bytes)


def _measure(way: str, body_bytes: int, stage: Stage) -> Sample:
    with opened(stage.file(body_bytes)) as fd:

        def send(sock: socket.socket) -> None:
            answer(sock, way, fd, body_bytes)

        answer_bytes = len(HEADER) + body_bytes
        return answers.measured(stage, send, answer_bytes, nodelay=way not in (NAGLE, CORK))


def trials() -> list[Trial]:
    return [
        Trial(
            work_name(size),
            f"answers of a header and a file of {size_name(size)}, one after the other",
            answers.METRICS,
            {way: partial(_measure, way, size) for way in (NODELAY, CORK, MORE, NAGLE)},
            BASELINE,
        )
        for size in BODY_SIZES
    ]
