"""Bytes moved by operations of io_uring(7): read and send, splice, linked or one by one.

The sockets are blocking: it is the kernel that waits there, by its own poll or in a thread of its
workers. SPLICE always goes to such a thread (io_uring/splice.c: REQ_F_FORCE_ASYNC).
"""

from __future__ import annotations

import mmap
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial

from spliceproxy.kernel.pipes import Pipe
from tools.bench.transfer.relays import Move, SizedWay
from tools.bench.transfer.submission_ring import (
    IS_NOTIFICATION,
    NO_OFFSET,
    READ,
    RECEIVE,
    REPORT_USAGE,
    SEND,
    SEND_ZC,
    SPLICE,
    WAS_COPIED,
    Completion,
    Operation,
    SubmissionRing,
    address_of,
    taken,
)

_ALL = socket.MSG_NOSIGNAL | socket.MSG_WAITALL  # of send: come back when everything is in

MoveFile = Callable[[int, int, int, socket.socket], None]
"""Send one piece: (file descriptor, offset, count, socket). The file has all of it."""

SendMemory = Callable[[mmap.mmap, int, int], None]
"""Send one piece of memory: (memory, offset, count)."""

FileWay = Callable[[int], AbstractContextManager[MoveFile]]
"""Make ready to send pieces of at most so many bytes."""


def let_kernel_wait(sock: socket.socket) -> None:
    """Make a socket blocking; costs nothing where it is already."""
    if not sock.getblocking():
        sock.setblocking(True)


def run_all(ring: SubmissionRing, operations: list[Operation], *, linked: bool) -> list[Completion]:
    """Do them by one call if they are linked, by one for each otherwise.

    Raises:
        OSError: one of them failed.
    """
    if linked:
        found = ring.run(operations, linked=True)
    else:
        found = [one for operation in operations for one in ring.run([operation])]
    for completion in found:
        if not completion.flags & IS_NOTIFICATION:
            taken(completion)
    return found


@contextmanager
def reading_and_sending(
    piece_bytes: int, *, linked: bool, zero_copy: bool = False
) -> Iterator[MoveFile]:
    """Read into memory and send from there; with send_zc it waits for the memory to be free."""
    with closing(SubmissionRing()) as ring, mmap.mmap(-1, piece_bytes) as memory:
        address = address_of(memory)
        code, options = (SEND_ZC, REPORT_USAGE) if zero_copy else (SEND, 0)

        def move(file_fd: int, offset: int, count: int, sock: socket.socket) -> None:
            let_kernel_wait(sock)
            read = Operation(READ, file_fd, address, count, offset)
            send = Operation(code, sock.fileno(), address, count, flags=_ALL, options=options)
            run_all(ring, [read, send], linked=linked)

        yield move


def drain(ring: SubmissionRing, pipe: Pipe, count: int, sock: socket.socket) -> None:
    """Splice so many bytes out of a pipe."""
    while count:
        [completion] = ring.run([_out_of(pipe, count, sock)])
        count -= taken(completion)


def _out_of(pipe: Pipe, count: int, sock: socket.socket) -> Operation:
    return Operation(SPLICE, sock.fileno(), NO_OFFSET, count, NO_OFFSET, 0, pipe.read_fd)


@contextmanager
def splicing_file(piece_bytes: int, *, linked: bool) -> Iterator[MoveFile]:
    """Splice into a pipe and out of it."""
    with closing(SubmissionRing()) as ring, closing(Pipe(piece_bytes, piece_bytes)) as pipe:

        def move(file_fd: int, offset: int, count: int, sock: socket.socket) -> None:
            let_kernel_wait(sock)
            fill = Operation(SPLICE, pipe.write_fd, offset, count, NO_OFFSET, 0, file_fd)
            found = run_all(ring, [fill, _out_of(pipe, count, sock)], linked=linked)
            drain(ring, pipe, count - taken(found[-1]), sock)

        yield move


@contextmanager
def receiving_and_sending(piece_bytes: int) -> Iterator[Move]:
    """Receive what there is, then send it: how much it is has to be known first."""
    with closing(SubmissionRing()) as ring, mmap.mmap(-1, piece_bytes) as memory:
        address = address_of(memory)

        def move(source: socket.socket, destination: socket.socket) -> int:
            let_kernel_wait(source)
            let_kernel_wait(destination)
            receive = Operation(RECEIVE, source.fileno(), address, piece_bytes)
            count = taken(ring.run([receive])[0])
            if count:
                send = Operation(SEND, destination.fileno(), address, count, flags=_ALL)
                taken(ring.run([send])[0])
            return count

        yield move


@contextmanager
def splicing(piece_bytes: int) -> Iterator[Move]:
    """Splice what there is into a pipe, then out of it."""
    with closing(SubmissionRing()) as ring, closing(Pipe(piece_bytes, piece_bytes)) as pipe:

        def move(source: socket.socket, destination: socket.socket) -> int:
            let_kernel_wait(source)
            let_kernel_wait(destination)
            fill = Operation(
                SPLICE, pipe.write_fd, NO_OFFSET, piece_bytes, NO_OFFSET, 0, source.fileno()
            )
            count = taken(ring.run([fill])[0])
            drain(ring, pipe, count, destination)
            return count

        yield move


@dataclass
class Sent:
    """How many sends of memory there were, and how many of them the kernel copied after all."""

    notified: int = 0
    copied: int = 0


@contextmanager
def sending_memory(sock: socket.socket, sent: Sent) -> Iterator[SendMemory]:
    """Send pieces of memory by send_zc; it must not be written to, nor unmapped, meanwhile."""
    let_kernel_wait(sock)
    with closing(SubmissionRing()) as ring:

        def send(memory: mmap.mmap, offset: int, count: int) -> None:
            address = address_of(memory) + offset
            operation = Operation(
                SEND_ZC, sock.fileno(), address, count, flags=_ALL, options=REPORT_USAGE
            )
            for completion in ring.run([operation], waits_for_notifications=False):
                if completion.flags & IS_NOTIFICATION:
                    sent.notified += 1
                    sent.copied += bool(completion.result & WAS_COPIED)
                else:
                    taken(completion)

        yield send


FILE_WAYS: dict[str, FileWay] = {
    "uring read, send": partial(reading_and_sending, linked=False),
    "uring read+send linked": partial(reading_and_sending, linked=True),
    "uring read+send_zc linked": partial(reading_and_sending, linked=True, zero_copy=True),
    "uring splice": partial(splicing_file, linked=False),
    "uring splice linked": partial(splicing_file, linked=True),
}
RELAY_WAYS: dict[str, SizedWay] = {
    "uring recv, send": receiving_and_sending,
    "uring splice": splicing,
}
