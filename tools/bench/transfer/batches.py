"""An answer of several pieces: a call for each, or one for all; a segment for each, or full ones.

The pieces are in memory that is written once, or in files. `sendmsg` is writev(2) with flags.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial

from spliceproxy.kernel import page_syscalls, syscalls
from spliceproxy.kernel.pipes import Pipe
from tools.bench.errors import BenchError
from tools.bench.transfer import answers, waiting
from tools.bench.transfer.corking import HEADER, send_file
from tools.bench.transfer.files import opened
from tools.bench.transfer.memory import filled
from tools.bench.transfer.relays import drain
from tools.bench.transfer.stage import Stage
from tools.bench.transfer.trial import Trial
from tools.bench.works.work import Sample
from tools.companions.shared import segments

PIECES, PIECE_BYTES, BODY_BYTES = 16, 1 << 10, 64 << 10
MANY, HEADED, FILES = "batch-16", "batch-header", "batch-files"
EACH, CORK, MORE, VECTOR = "send each", "TCP_CORK", "MSG_MORE", "sendmsg"
PIPED_EACH, PIPED_VECTOR, GIFT = "vmsplice each", "vmsplice", "vmsplice gift"
SENDFILE, SENDFILE_CORK, READ_VECTOR = "sendfile each", "sendfile, TCP_CORK", "read, sendmsg"

_PIPE_BYTES = 1 << 20  # slots for all pieces, however small

Way = Callable[[Sequence[int]], AbstractContextManager[answers.Send]]
"""Make memory for pieces of these sizes; what is given sends them."""


@contextmanager
def by_send(
    sizes: Sequence[int], *, cork: bool = False, more: bool = False
) -> Iterator[answers.Send]:
    """Send each piece by a call of its own."""
    pieces = [os.urandom(size) for size in sizes]

    def each(sock: socket.socket) -> None:
        for piece in pieces[:-1]:
            answers.send_all(sock, piece, more=more)
        answers.send_all(sock, pieces[-1])

    def corked(sock: socket.socket) -> None:
        with segments.corked(sock):
            each(sock)

    yield corked if cork else each


def send_vector(sock: socket.socket, pieces: Sequence[bytes]) -> None:
    """Send all pieces by one call, and by one more for what it left."""
    while True:
        try:
            taken = sock.sendmsg(pieces, [], socket.MSG_NOSIGNAL)
        except BlockingIOError:
            waiting.until_writable(sock)
        else:
            answers.send_all(sock, b"".join(pieces)[taken:])
            return


@contextmanager
def by_vector(sizes: Sequence[int]) -> Iterator[answers.Send]:
    """Send all pieces by one call."""
    pieces = [os.urandom(size) for size in sizes]
    yield lambda sock: send_vector(sock, pieces)


@contextmanager
def by_vmsplice(sizes: Sequence[int], *, one_call: bool, flags: int = 0) -> Iterator[answers.Send]:
    """Put references to all pieces into a pipe, and splice them from there."""
    with ExitStack() as stack:
        pieces = [(stack.enter_context(filled(size)), 0, size) for size in sizes]
        pipe = stack.enter_context(closing(Pipe(_PIPE_BYTES, _PIPE_BYTES)))
        calls = [pieces] if one_call else [[piece] for piece in pieces]

        def send(sock: socket.socket) -> None:
            count = sum(
                page_syscalls.vmsplice_vector(pipe.write_fd, call, flags | syscalls.SPLICE_NONBLOCK)
                for call in calls
            )
            if count < sum(sizes):
                raise BenchError(f"the pipe took {count:,} of {sum(sizes):,} bytes")
            drain(pipe, count, sock)

        yield send


@contextmanager
def by_files(fds: Sequence[int], size_bytes: int, way: str) -> Iterator[answers.Send]:
    """Send the beginning of each file."""

    def each(sock: socket.socket) -> None:
        for fd in fds:
            send_file(sock, fd, size_bytes)

    def corked(sock: socket.socket) -> None:
        with segments.corked(sock):
            each(sock)

    buffers = [bytearray(size_bytes) for _fd in fds]

    def read(sock: socket.socket) -> None:
        for fd, buffer in zip(fds, buffers, strict=True):
            os.preadv(fd, [buffer], 0)
        send_vector(sock, buffers)  # type: ignore[arg-type]

    yield {SENDFILE: each, SENDFILE_CORK: corked, READ_VECTOR: read}[way]


WAYS: dict[str, Way] = {
    EACH: by_send,
    CORK: partial(by_send, cork=True),
    MORE: partial(by_send, more=True),
    VECTOR: by_vector,
    PIPED_EACH: partial(by_vmsplice, one_call=False),
    PIPED_VECTOR: partial(by_vmsplice, one_call=True),
    GIFT: partial(by_vmsplice, one_call=True, flags=page_syscalls.SPLICE_F_GIFT),
}
FILE_WAYS = (SENDFILE, SENDFILE_CORK, READ_VECTOR)


def _measure(way: Way, sizes: Sequence[int], stage: Stage) -> Sample:
    with way(sizes) as send:
        return answers.measured(stage, send, sum(sizes), nodelay=True)


def _measure_files(way: str, stage: Stage) -> Sample:
    path = stage.file(PIECE_BYTES)
    with ExitStack() as stack:
        fds = [stack.enter_context(opened(path)) for _number in range(PIECES)]
        send = stack.enter_context(by_files(fds, PIECE_BYTES, way))
        return answers.measured(stage, send, PIECES * PIECE_BYTES, nodelay=True)


def trials() -> list[Trial]:
    many, headed = [PIECE_BYTES] * PIECES, [len(HEADER), BODY_BYTES]
    return [
        Trial(
            name,
            title,
            answers.METRICS,
            {way: partial(_measure, send, sizes) for way, send in WAYS.items()},
            EACH,
        )
        for name, title, sizes in (
            (MANY, "answers of 16 pieces of 1 KiB in memory that is written once", many),
            (HEADED, "answers of a header and 64 KiB in memory that is written once", headed),
        )
    ] + [
        Trial(
            FILES,
            "answers of 16 files of 1 KiB",
            answers.METRICS,
            {way: partial(_measure_files, way) for way in FILE_WAYS},
            SENDFILE,
        )
    ]
