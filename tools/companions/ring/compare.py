"""Carry the same bytes by each way, in turns, and tell throughput and cost."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tools.bench.ratios import best_by_round, spread, to_best
from tools.bench.report import text_table
from tools.bench.rounds import turns
from tools.bench.tables import Table
from tools.bench.works.work import RATIO_SIGN
from tools.companions.ring.errors import RingError
from tools.companions.ring.sender import Order
from tools.companions.ring.ways import WAYS, Receive

CHECKED_BYTES = 64 << 20
"""Carried once by each way before it is measured: a checksum in every round would be measured."""

BASELINE = "pipe"


@dataclass(frozen=True)
class Sample:
    """One transfer: its rate, and the CPU of both processes for a gigabyte."""

    bytes_per_s: float
    cpu_s_per_gb: float


@dataclass(frozen=True)
class Received:
    """What came out, timed from the first bytes on, so that starting a process is not counted."""

    total_bytes: int
    crc32: int
    bytes_per_s: float
    cpu_s: float


def receive(read: Receive, buffer_bytes: int, *, is_checked: bool) -> Received:
    """Read to the end of the stream."""
    buffer = memoryview(bytearray(buffer_bytes))
    first_bytes = count = read(buffer)
    began_s, cpu_s = time.monotonic(), time.process_time()
    total_bytes = crc32 = 0
    while count:
        total_bytes += count
        if is_checked:
            crc32 = zlib.crc32(buffer[:count], crc32)
        count = read(buffer)
    elapsed_s = time.monotonic() - began_s
    rate = (total_bytes - first_bytes) / elapsed_s if elapsed_s else 0.0
    return Received(total_bytes, crc32, rate, time.process_time() - cpu_s)


def carry(way: str, order: Order, capacity_bytes: int) -> Sample:
    """Send and receive once.

    Raises:
        RingError: bytes are missing or changed, or one of the two processes failed.
    """
    with WAYS[way](order, capacity_bytes) as (sender, read):
        received = receive(read, order.chunk_bytes, is_checked=order.is_checked)
        cost = sender.cost()
    if received.total_bytes != order.total_bytes:
        raise RingError(f"{way}: {received.total_bytes:,} of {order.total_bytes:,} bytes came")
    if received.crc32 != cost.crc32:
        raise RingError(f"{way}: the bytes that came are not those that were sent (CRC-32)")
    cpu_s = received.cpu_s + cost.cpu_s
    return Sample(received.bytes_per_s, cpu_s / (order.total_bytes / 1e9))


def check(ways: Sequence[str], order: Order, capacity_bytes: int) -> None:
    """Carry some bytes by each way under a checksum."""
    checked = replace(order, total_bytes=min(order.total_bytes, CHECKED_BYTES), is_checked=True)
    for way in ways:
        carry(way, checked, capacity_bytes)


def measure(
    ways: Sequence[str], order: Order, capacity_bytes: int, rounds: int, say: Callable[[str], None]
) -> dict[str, list[Sample]]:
    """Let the ways take turns, so that what else happens on the machine hits all alike."""
    samples: dict[str, list[Sample]] = {way: [] for way in ways}
    for number, way in turns(ways, rounds):
        say(f"round {number + 1}/{rounds}: {way}")
        samples[way].append(carry(way, order, capacity_bytes))
    return samples


def table(samples: dict[str, list[Sample]], title: str) -> str:
    """Return the medians, and the ratio to the pipe within each round."""
    rates = {way: [taken.bytes_per_s for taken in found] for way, found in samples.items()}
    baseline = [rates[BASELINE]] if BASELINE in rates else []
    best = best_by_round(baseline, is_higher_better=True)
    rows = []
    for way, found in samples.items():
        rate = spread(rates[way])
        ratio = spread(to_best(rates[way], best)) if best else None
        cpu = spread([taken.cpu_s_per_gb for taken in found])
        rows.append(
            [
                way,
                f"{rate.median / 1e9:.2f} GB/s" if rate else "-",
                f"{ratio.median:.2f}{RATIO_SIGN}" if ratio else "-",
                f"{cpu.median:.3f} s" if cpu else "-",
            ]
        )
    heads = ["way", "throughput", f"against the {BASELINE}", "CPU per GB, both sides"]
    return text_table(Table(title, heads, rows))
