"""A capture, put in order by connections.

A capture has its records in the order of time. Reading each of many connections that were live
together from there would read the whole capture for each; so it is read once, and what belongs
together is written together into a file without a name.
"""

import struct
from collections.abc import Container, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from spliceproxy.capture import Capture, Connection, ConnectionId, Data, Event
from spliceproxy.errors import StartProblem

_HEAD = struct.Struct("=q?I")
_MOST_HELD_BYTES = 32 << 20
"""In memory, of all connections together, before it is written."""


class CapturedPiece(NamedTuple):
    """Bytes that the proxy moved in one piece."""

    time_ns: int
    is_response: bool
    data: bytes


class GatheredConnection:
    """What is known of a connection, and all its bytes."""

    def __init__(self, facts: Connection, file: IO[bytes]) -> None:
        self.facts = facts
        self.held = bytearray()
        self._file = file
        self._ranges: list[tuple[int, int]] = []

    def add(self, event: Data) -> None:
        """Take one more piece."""
        is_response = event.direction == "response"
        self.held += _HEAD.pack(event.time_ns, is_response, len(event.data))
        self.held += event.data

    def write(self) -> None:
        """Write what is held; whole pieces."""
        if self.held:
            self._ranges.append((self._file.tell(), len(self.held)))
            self._file.write(self.held)
            self.held = bytearray()

    def pieces(self) -> Iterator[CapturedPiece]:
        """Read all pieces, in order; all must have been written."""
        for start, length in self._ranges:
            self._file.seek(start)
            data = self._file.read(length)
            at = 0
            while at < length:
                time_ns, is_response, size = _HEAD.unpack_from(data, at)
                at += _HEAD.size
                yield CapturedPiece(time_ns, is_response, data[at : at + size])
                at += size


class GatheredCapture:
    """Connections in the order in which they began; has a file open until it is closed."""

    def __init__(self, path: Path, wanted: Container[str] | None = None) -> None:
        """Read the capture; with `wanted`, bytes of these connections only.

        Raises:
            UsageProblem: there is none.
            StartProblem: there is no room for what belongs together.
        """
        self.capture = Capture(path)
        self.capture.require_segment()
        self.connections: dict[ConnectionId, GatheredConnection] = {}
        self._wanted = wanted
        self._held_bytes = 0
        self._file = TemporaryFile()  # noqa: SIM115 - `close` closes it
        try:
            for event in self.capture.events():
                self._add(event)
            self._write()
        except OSError as problem:
            self.close()
            raise StartProblem(
                f"{path}: {problem.strerror}", "expected room for a copy of it in $TMPDIR"
            ) from None
        except BaseException:
            self.close()
            raise

    def _add(self, event: Event) -> None:
        found = self.connections.get(event.connection)
        if found is None:
            facts = Connection(event.connection, began_ns=event.time_ns)
            found = self.connections[event.connection] = GatheredConnection(facts, self._file)
        found.facts.note(event)
        if not isinstance(event, Data):
            return
        if self._wanted is None or str(event.connection) in self._wanted:
            found.add(event)
            self._held_bytes += len(event.data)
            if self._held_bytes >= _MOST_HELD_BYTES:
                self._write()

    def _write(self) -> None:
        self._held_bytes = 0
        for connection in self.connections.values():
            connection.write()

    def close(self) -> None:
        """Give up the file."""
        self._file.close()
