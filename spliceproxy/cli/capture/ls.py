"""`spliceproxy capture ls`: the segments."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from spliceproxy.cli.capture.reading import of_directory, reading
from spliceproxy.cli.columns import align, human_bytes, human_seconds
from spliceproxy.errors import ExitStatus
from spliceproxy.formats.timestamps import timestamp_at

if TYPE_CHECKING:
    from spliceproxy.capture.segment import Segment

_HEADINGS = ("segment", "first", "span", "connections", "size", "gaps", "state")


@dataclass(slots=True)
class _Summary:
    """What a segment has; times are since 1970, None where it has no connection."""

    first_ns: int | None = None
    last_ns: int | None = None
    connections: int = 0
    gaps: int = 0

    def note(self, first_ns: int, last_ns: int) -> None:
        self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)


@click.command()
@of_directory
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each segment.")
def ls(directory: str, *, as_json: bool) -> ExitStatus:
    """List the segments of a capture.

    Those that are sealed are told of by their indexes; others are read.
    """
    with reading(directory) as found:
        rows = []
        for segment in found.capture.segments():
            described = _describe(segment)
            if as_json:
                click.echo(json.dumps(described))
            else:
                rows.append(_row(described))
        if rows:
            click.echo(align(_HEADINGS, rows))
    return found.status


def _describe(segment: "Segment") -> dict[str, object]:
    entries = segment.index()
    summary = _Summary()
    if entries is None:
        _scan(segment, summary)
    else:
        to_wall_ns = segment.header.wall_ns - segment.header.monotonic_ns
        for entry in entries:
            summary.note(entry.first_ns + to_wall_ns, entry.last_ns + to_wall_ns)
            summary.gaps += entry.gaps
        summary.connections = len(entries)
    return {
        "segment": segment.path.name,
        "state": _state(segment, is_indexed=entries is not None),
        "writer": f"{segment.header.writer:016x}",
        "number": segment.header.segment,
        "first": _timestamp(summary.first_ns),
        "last": _timestamp(summary.last_ns),
        "span_s": ((summary.last_ns or 0) - (summary.first_ns or 0)) / 1e9,
        "connections": summary.connections,
        "bytes": segment.size,
        "uncompressed_bytes": segment.length,
        "gaps": summary.gaps,
    }


def _scan(segment: "Segment", summary: _Summary) -> None:
    from spliceproxy.capture import Missing
    from spliceproxy.capture.segment import events_of

    connections = set()
    for event, _ in events_of(segment):
        summary.note(event.time_ns, event.time_ns)
        summary.gaps += isinstance(event, Missing) and event.length is not None
        connections.add(event.connection.number)
    summary.connections = len(connections)


def _state(segment: "Segment", *, is_indexed: bool) -> str:
    if is_indexed:
        return "sealed"
    if segment.is_being_written:
        return "being written"
    return "left by a crash" if segment.is_open else "without an index"


def _timestamp(time_ns: int | None) -> str | None:
    return None if time_ns is None else timestamp_at(time_ns / 1e9)


def _row(told: dict[str, object]) -> tuple[object, ...]:
    return (
        told["segment"],
        told["first"] or "-",
        human_seconds(float(str(told["span_s"]))),
        told["connections"],
        human_bytes(int(str(told["bytes"]))),
        told["gaps"],
        told["state"],
    )
