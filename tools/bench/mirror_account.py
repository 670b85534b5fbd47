"""What became of the copies: spliceproxy's own account, checked against the files it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spliceproxy.capture
from spliceproxy.capture import Data
from tools.bench.errors import BenchError
from tools.bench.loads import tcpdump
from tools.bench.works.work import Metric, Sample

MIRRORED = Metric("mirrored_bytes", "mirrored", "MB", scale=1e-6, decimals=1, comparison="none")
LOST = Metric("lost_bytes", "lost", "bytes", comparison="none")
LOST_PACKETS = Metric("lost_packets", "dropped by kernel", "packets", comparison="none")
METRICS = (MIRRORED, LOST, LOST_PACKETS)

LAST_EVENT = "stopped"
# Mirrors get what was read, even where the other end was gone before it could be passed on.
CARRIED = ("request_bytes", "response_bytes", "undelivered_bytes")


@dataclass(frozen=True)
class Account:
    """The sums over all connections: what they carried, and what their mirrors got of it."""

    carried_bytes: int
    offered_bytes: int
    delivered_bytes: int
    dropped_bytes: int


def _lines(log: str) -> Iterator[dict[str, Any]]:
    for line in log.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def parse(log: str) -> Account:
    """Add up the connections of a complete log; one that does not add up is an error."""
    lines = list(_lines(log))
    if not any(line.get("event") == LAST_EVENT for line in lines):
        raise BenchError("spliceproxy was killed before it could write its account")
    connections = [line for line in lines if line.get("event") == "connection"]
    streams = [stream for line in connections for stream in line["mirrors"] or ()]
    account = Account(
        sum(line[key] for line in connections for key in CARRIED),
        sum(stream["offered_bytes"] for stream in streams),
        sum(stream["delivered_bytes"] for stream in streams),
        sum(stream["dropped_bytes"] for stream in streams),
    )
    if account.offered_bytes != account.delivered_bytes + account.dropped_bytes:
        raise BenchError(f"the mirror's account does not close: {account}")
    return account


def of_stream(log: str) -> Sample:
    """Return what a mirror got by the proxy's own account."""
    account = parse(log)
    return {MIRRORED.name: account.delivered_bytes, LOST.name: account.dropped_bytes}


def of_files(log: str, directory: Path) -> Sample:
    """Return what is in the files, and what both directions carried beyond that."""
    account = parse(log)
    streams = [path for path in directory.glob("*/*") if path.suffix != ".json"]
    unfinished = [path.name for path in streams if path.suffix == ".part"]
    if unfinished:
        raise BenchError(f"{len(unfinished)} audit files are unfinished: {unfinished[0]}")
    written = sum(path.stat().st_size for path in streams)
    if written != account.delivered_bytes:
        raise BenchError(
            f"the files hold {written} bytes, the account says {account.delivered_bytes}"
        )
    return {MIRRORED.name: written, LOST.name: account.carried_bytes - written}


def of_segments(log: str, directory: Path) -> Sample:
    """Return what a capture has, read back, and what both directions carried beyond that."""
    account, capture = parse(log), spliceproxy.capture.open(directory)
    held = sum(len(event.data) for event in capture.events() if isinstance(event, Data))
    if capture.unreadable:
        raise BenchError(f"the capture cannot be read: {capture.unreadable[0]}")
    if held != account.delivered_bytes:
        raise BenchError(
            f"the capture holds {held} bytes, the account says {account.delivered_bytes}"
        )
    return {MIRRORED.name: held, LOST.name: account.carried_bytes - held}


def of_capture(counts: str, capture: Path) -> Sample:
    """Return the size of tcpdump's capture, headers included, and its own count of losses."""
    dropped = tcpdump.parse(counts).dropped_by_kernel
    return {MIRRORED.name: capture.stat().st_size, LOST_PACKETS.name: dropped}
