"""The lines of connections in a proxy's access log, and whether each adds up by itself."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from spliceproxy.settings.units import parse_size
from tools.soak.routes import FILE_MIRROR


class Line(NamedTuple):
    """What a connection's line says, as far as books need it."""

    reason: str
    backend: str
    request_bytes: int
    response_bytes: int


@dataclass
class AccessLines:
    """All lines of one proxy."""

    by_host: dict[str, Line] = field(default_factory=dict)
    """By the client's address, of which each has had one connection."""
    count: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """What does not add up, in words, and how often."""
    example: dict[str, str] = field(default_factory=dict)
    """A line for each of the faults."""

    def _take(self, text: str) -> None:
        line = json.loads(text)
        if line["event"] != "connection":
            self._fault(f"a line {line['event']}", text)
            return
        self.count += 1
        host = line["client"].rpartition(":")[0]
        if host in self.by_host:
            self._fault("a second line of one connection", text)
        self.by_host[host] = Line(
            line["reason"], line["backend"], line["request_bytes"], line["response_bytes"]
        )
        for fault in faults(line):
            self._fault(fault, text)

    def _fault(self, fault: str, text: str) -> None:
        self.faults[fault] += 1
        self.example.setdefault(fault, text.strip())


def read(path: Path) -> AccessLines:
    """Read a log, and check each line."""
    lines = AccessLines()
    with path.open() as file:
        for text in file:
            lines._take(text)
    return lines


def faults(line: dict[str, Any]) -> Iterator[str]:
    """Return what of a line does not add up."""
    moved = line["request_bytes"] + line["response_bytes"]
    if moved != line["spliced_bytes"] + line["copied_bytes"]:
        yield "bytes delivered are not those spliced and copied"
    is_closed = line["reason"] == "closed"
    if is_closed and line["undelivered_bytes"]:
        yield "closed, with bytes undelivered"
    for mirror in line["mirrors"] or ():
        gone = mirror["delivered_bytes"] + mirror["dropped_bytes"] + mirror["queued_bytes"]
        if mirror["offered_bytes"] != gone:
            yield "offered to a mirror is not delivered, dropped and queued"
        if mirror["queued_bytes"]:
            yield "a mirror has bytes queued"
        if mirror["state"] == "complete":
            yield from _faults_of_complete(line, mirror, is_closed=is_closed)
        elif not mirror["reason"]:
            yield "an incomplete mirror without a reason"


def _faults_of_complete(
    line: dict[str, Any], mirror: dict[str, Any], *, is_closed: bool
) -> Iterator[str]:
    if mirror["dropped_bytes"]:
        yield "a complete mirror with bytes dropped"
    if not is_closed or "offset" in mirror:  # one that was attached begins in the middle
        return
    wanted_bytes = line[f"{mirror['direction']}_bytes"]
    if mirror["to"].startswith("file:"):
        wanted_bytes = min(wanted_bytes, parse_size(FILE_MIRROR["max_bytes"]))
    if mirror["delivered_bytes"] != wanted_bytes:
        yield "a complete mirror that has not all that was delivered"
