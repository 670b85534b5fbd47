"""Answers, one after the other: how many a second, and what each of them costs.

The peer asks for the next answer when it has this one. Segments are those of Ethernet, so that a
partly filled one shows; loopback's own are 64 KiB.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from spliceproxy.kernel import syscalls
from tools.bench.loads.asker import ANSWER_LENGTH
from tools.bench.transfer import waiting
from tools.bench.transfer.counting import counting
from tools.bench.transfer.stage import Stage
from tools.bench.transfer.trial import Clock
from tools.bench.works.work import Metric, Sample
from tools.companions.shared.segments import data_segments

SEGMENT_BYTES = 1448  # Ethernet's 1500, less IPv4, TCP and its timestamps

RATE = Metric("answers_per_s", "rate", "/s", is_higher_better=True)
CPU = Metric("cpu_us_per_answer", "CPU per answer", "µs", decimals=1)
SEGMENTS = Metric("segments_per_answer", "segments per answer", "", decimals=2, comparison="none")
CALLS = Metric("syscalls_per_answer", "calls per answer", "", decimals=1, comparison="none")
SWITCHES = Metric(
    "switches_per_answer", "context switches per answer", "", decimals=2, comparison="none"
)
FAULTS = Metric(
    "page_faults_per_answer", "page faults per answer", "", decimals=2, comparison="none"
)
CACHE_MISSES = Metric("cache_misses_per_answer", "cache misses per answer", "", comparison="none")
METRICS = (RATE, CPU, SEGMENTS, CALLS, SWITCHES, FAULTS, CACHE_MISSES)

_FEWEST = 3

Send = Callable[[socket.socket], None]
"""Send one answer, waiting for room as often as needed."""


def wait_for_question(sock: socket.socket) -> None:
    waiting.until_readable(sock)
    syscalls.receive(sock, 1)


def send_all(sock: socket.socket, data: bytes | memoryview, *, more: bool = False) -> None:
    """Send bytes, waiting for room."""
    left = memoryview(data)
    while left:
        try:
            left = left[syscalls.send(sock, left, more=more) :]
        except BlockingIOError:
            waiting.until_writable(sock)


def measured(stage: Stage, send: Send, answer_bytes: int, *, nodelay: bool) -> Sample:
    """Answer for the time of a measurement, then count the calls of one more answer."""
    with stage.connected("asker", SEGMENT_BYTES) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(nodelay))
        syscalls.send(sock, ANSWER_LENGTH.pack(answer_bytes))
        wait_for_question(sock)
        send(sock)
        clock, answers, segments = Clock(stage.cache_misses), 0, data_segments(sock)
        while clock.elapsed_s < stage.seconds or answers < _FEWEST:
            wait_for_question(sock)
            send(sock)
            answers += 1
        sample = {
            RATE.name: answers / clock.elapsed_s,
            CPU.name: clock.cpu_s / answers * 1e6,
            SEGMENTS.name: (data_segments(sock) - segments) / answers,
            **clock.events((SWITCHES, FAULTS, CACHE_MISSES), answers),
        }
        wait_for_question(sock)
        with counting() as count:
            send(sock)
        return {**sample, CALLS.name: count.calls}
