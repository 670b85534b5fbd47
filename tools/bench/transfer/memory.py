"""Memory to socket: written once and sent again and again, or written anew for each piece."""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial

from spliceproxy.kernel import page_syscalls, syscalls
from spliceproxy.kernel.pipes import Pipe
from tools.bench.transfer import uring_moves, waiting
from tools.bench.transfer.counting import counting
from tools.bench.transfer.files import BUFFER_SIZES
from tools.bench.transfer.relays import drain
from tools.bench.transfer.stage import Stage, wait_acknowledged
from tools.bench.transfer.trial import BULK, SYSCALLS, Clock, Measure, Trial, size_name
from tools.bench.transfer.uring_moves import SendMemory
from tools.bench.works.work import Metric, Sample
from tools.companions.techniques.zero_copy_send import ZeroCopySends

KEPT, ANEW = "memory", "memory-anew"
SEND, VMSPLICE, GIFT, ZERO_COPY = "send", "vmsplice", "vmsplice gift", "MSG_ZEROCOPY"
RING_ZERO_COPY = "uring send_zc"
BASELINE = f"{SEND} {size_name(64 << 10)}"
MEMORY_BYTES = 64 << 20  # as large as the file of the other works: no cache holds it
COPIED = Metric("copied_share", "sends that the kernel copied", "%", scale=100, comparison="none")

_BLOCK_BYTES = 1 << 20
_COUNTED_BYTES = 4 << 20

Way = Callable[[socket.socket, int], AbstractContextManager[SendMemory]]
"""Make ready to send pieces of at most so many bytes over a socket."""


@contextmanager
def filled(size_bytes: int) -> Iterator[mmap.mmap]:
    """Make memory of its own pages, with content that does not repeat within a block."""
    block = os.urandom(min(size_bytes, _BLOCK_BYTES))
    with mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        for offset in range(0, size_bytes, len(block)):
            end = min(offset + len(block), size_bytes)
            memory[offset:end] = block[: end - offset]
        yield memory


@contextmanager
def sending(sock: socket.socket, _most_bytes: int) -> Iterator[SendMemory]:
    """Send by copying."""

    def send(memory: mmap.mmap, offset: int, count: int) -> None:
        end = offset + count
        with memoryview(memory) as view:
            while offset < end:
                try:
                    offset += syscalls.send(sock, view[offset:end])
                except BlockingIOError:
                    waiting.until_writable(sock)

    yield send


@contextmanager
def vmsplicing(sock: socket.socket, most_bytes: int, *, flags: int = 0) -> Iterator[SendMemory]:
    """Send by way of a pipe that refers to the memory."""
    with closing(Pipe(most_bytes, most_bytes)) as pipe:

        def send(memory: mmap.mmap, offset: int, count: int) -> None:
            end = offset + count
            while offset < end:
                given = page_syscalls.vmsplice(
                    pipe.write_fd, memory, offset, end - offset, flags | syscalls.SPLICE_NONBLOCK
                )
                drain(pipe, given, sock)
                offset += given

        yield send


@contextmanager
def zero_copying(
    sock: socket.socket, _most_bytes: int, sends: ZeroCopySends | None = None
) -> Iterator[SendMemory]:
    """Send with MSG_ZEROCOPY, and take each completion."""
    sends = sends or ZeroCopySends(sock)

    def send(memory: mmap.mmap, offset: int, count: int) -> None:
        end = offset + count
        with memoryview(memory) as view:
            while offset < end:
                try:
                    offset += sends.send(view[offset:end])
                except BlockingIOError:
                    sends.collect()
                    waiting.until_writable(sock)
                else:
                    sends.collect()

    yield send


def send_pieces(
    send: SendMemory, memory: mmap.mmap, piece_bytes: int, most_bytes: int = MEMORY_BYTES
) -> None:
    """Send the memory, or its beginning."""
    end = min(len(memory), most_bytes)
    for offset in range(0, end, piece_bytes):
        send(memory, offset, min(piece_bytes, end - offset))


def _kept(way: Way, piece_bytes: int) -> Measure:
    def measure(stage: Stage) -> Sample:
        with (
            filled(MEMORY_BYTES) as memory,
            stage.connected("drain") as sock,
            way(sock, piece_bytes) as send,
        ):
            return _timed(stage, sock, partial(send_pieces, send, memory, piece_bytes))

    return measure


def _zero_copy(piece_bytes: int) -> Measure:
    def measure(stage: Stage) -> Sample:
        with filled(MEMORY_BYTES) as memory, stage.connected("drain") as sock:
            sends = ZeroCopySends(sock)
            with zero_copying(sock, piece_bytes, sends) as send:
                sample = _timed(stage, sock, partial(send_pieces, send, memory, piece_bytes))
            sends.collect()
            return {**sample, COPIED.name: sends.copied / max(sends.completed, 1)}

    return measure


def _ring_zero_copy(piece_bytes: int) -> Measure:
    def measure(stage: Stage) -> Sample:
        sent = uring_moves.Sent()
        with (
            filled(MEMORY_BYTES) as memory,
            stage.connected("drain") as sock,
            uring_moves.sending_memory(sock, sent) as send,
        ):
            sample = _timed(stage, sock, partial(send_pieces, send, memory, piece_bytes))
        return {**sample, COPIED.name: sent.copied / max(sent.notified, 1)}

    return measure


def _anew(way: Way, piece_bytes: int, *, is_fresh: bool) -> Measure:
    """Write each piece before it is sent: into the same memory, or into fresh memory."""

    def measure(stage: Stage) -> Sample:
        content = os.urandom(piece_bytes)
        with (
            stage.connected("drain") as sock,
            way(sock, piece_bytes) as send,
            filled(piece_bytes) as same,
        ):

            def write_and_send(most_bytes: int) -> None:
                for _number in range(most_bytes // piece_bytes):
                    if is_fresh:
                        with mmap.mmap(-1, piece_bytes) as memory:
                            memory[:] = content
                            send(memory, 0, piece_bytes)
                    else:
                        same[:] = content
                        send(same, 0, piece_bytes)

            return _timed(stage, sock, write_and_send)

    return measure


def _timed(stage: Stage, sock: socket.socket, send: Callable[[int], None]) -> Sample:
    """Send `MEMORY_BYTES` for the time of a measurement, then count the calls of some more."""
    clock, moved_bytes = Clock(stage.cache_misses), 0
    while not moved_bytes or clock.elapsed_s < stage.seconds:
        send(MEMORY_BYTES)
        moved_bytes += MEMORY_BYTES
    wait_acknowledged(sock)
    sample = clock.sample(moved_bytes)
    with counting() as count:
        send(_COUNTED_BYTES)
    wait_acknowledged(sock)
    return {**sample, SYSCALLS.name: count.calls / (_COUNTED_BYTES / (1 << 20))}


def trials() -> list[Trial]:
    gift = partial(vmsplicing, flags=page_syscalls.SPLICE_F_GIFT)
    ways: dict[str, Way] = {SEND: sending, VMSPLICE: vmsplicing, GIFT: gift}
    kept = {
        f"{name} {size_name(size)}": _kept(way, size)
        for name, way in ways.items()
        for size in BUFFER_SIZES
    }
    kept |= {f"{ZERO_COPY} {size_name(size)}": _zero_copy(size) for size in BUFFER_SIZES}
    kept |= {f"{RING_ZERO_COPY} {size_name(size)}": _ring_zero_copy(size) for size in BUFFER_SIZES}
    anew = {
        f"{name} {size_name(size)}": _anew(way, size, is_fresh=name != SEND)
        for name, way in ways.items()
        for size in BUFFER_SIZES[1:]
    }
    title = f"{size_name(MEMORY_BYTES)} of memory, written once → socket, by technique and piece"
    return [
        Trial(KEPT, title, (*BULK, COPIED), kept, BASELINE),
        Trial(
            ANEW,
            "memory written before each piece is sent → socket; vmsplice: fresh memory each time",
            BULK,
            anew,
            BASELINE,
        ),
    ]
