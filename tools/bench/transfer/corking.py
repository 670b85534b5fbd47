"""An answer of a header and a file: in how many segments it leaves, and what that costs.

The peer asks for the next answer when it has this one. Segments are those of Ethernet, so that a
partly filled one shows; loopback's own are 64 KiB.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from spliceproxy.kernel import syscalls
from tools.bench.loads.asker import ANSWER_LENGTH
from tools.bench.transfer import waiting
from tools.bench.transfer.files import opened
from tools.bench.transfer.stage import Stage
from tools.bench.transfer.trial import Clock, Trial, size_name
from tools.bench.works.work import Metric, Sample

BODY_SIZES = (1 << 10, 64 << 10)
HEADER = bytes(250)  # about what a file server says about a file
SEGMENT_BYTES = 1448  # Ethernet's 1500, less IPv4, TCP and its timestamps

RATE = Metric("answers_per_s", "rate", "/s", is_higher_better=True)
CPU = Metric("cpu_us_per_answer", "CPU per answer", "µs", decimals=1)
SEGMENTS = Metric("segments_per_answer", "segments per answer", "", decimals=2, comparison="none")

NODELAY, CORK, MORE, NAGLE = "TCP_NODELAY", "TCP_CORK", "MSG_MORE", "neither"
BASELINE = NODELAY

_DATA_SEGMENTS_OUT_AT = 156  # struct tcp_info in linux/tcp.h: tcpi_data_segs_out, Linux 4.6
_FEWEST_ANSWERS = 3

SendHeader = Callable[[socket.socket], None]


def work_name(body_bytes: int) -> str:
    return f"cork-{body_bytes >> 10}k"


def data_segments(sock: socket.socket) -> int:
    """Return how many segments with data a socket has sent, retransmitted ones included."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _DATA_SEGMENTS_OUT_AT + 4)
    return int(struct.unpack_from("I", info, _DATA_SEGMENTS_OUT_AT)[0])


@contextmanager
def _framed(sock: socket.socket, way: str) -> Iterator[None]:
    """Send the header, and after the body what the way asks for to have the last bytes leave."""
    if way == CORK:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    syscalls.send(sock, HEADER, more=way == MORE)
    yield
    if way == CORK:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def answer(sock: socket.socket, way: str, file_fd: int, body_bytes: int) -> None:
    """Wait for the question, then send header and body."""
    waiting.until_readable(sock)
    syscalls.receive(sock, 1)
    with _framed(sock, way):
        offset = 0
        while offset < body_bytes:
            try:
                offset += os.sendfile(sock.fileno(), file_fd, offset, body_bytes - offset)
            except BlockingIOError:
                waiting.until_writable(sock)


def _measure(way: str, body_bytes: int, stage: Stage) -> Sample:
    path = stage.file(body_bytes)
    with opened(path) as fd, stage.connected("asker", SEGMENT_BYTES) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(way not in (NAGLE, CORK)))
        syscalls.send(sock, ANSWER_LENGTH.pack(len(HEADER) + body_bytes))
        answer(sock, way, fd, body_bytes)
        clock, answers, segments = Clock(), 0, data_segments(sock)
        while clock.elapsed_s < stage.seconds or answers < _FEWEST_ANSWERS:
            answer(sock, way, fd, body_bytes)
            answers += 1
        return {
            RATE.name: answers / clock.elapsed_s,
            CPU.name: clock.cpu_s / answers * 1e6,
            SEGMENTS.name: (data_segments(sock) - segments) / answers,
        }


def trials() -> list[Trial]:
    return [
        Trial(
            work_name(size),
            f"answers of a header and a file of {size_name(size)}, one after the other",
            (RATE, CPU, SEGMENTS),
            {way: partial(_measure, way, size) for way in (NODELAY, CORK, MORE, NAGLE)},
            BASELINE,
        )
        for size in BODY_SIZES
    ]
