"""What has been replayed wholly, kept in a file, so that a replay can be taken up again."""

import contextlib
import json
import os
from bisect import bisect_right
from pathlib import Path

from spliceproxy.capture import ConnectionId
from spliceproxy.errors import UsageProblem, quote

_MOST_BYTES = 256 << 20


class _Numbers:
    """A set of numbers that mostly follow one another, as ranges."""

    def __init__(self, ranges: list[list[int]]) -> None:
        self.ranges = ranges
        """First and last, sorted, with something missing between any two."""

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.ranges, [number, 1 << 64]) - 1
        return at >= 0 and number <= self.ranges[at][1]

    def add(self, number: int) -> None:
        if number in self:
            return
        at = bisect_right(self.ranges, [number, 1 << 64])
        joins_before = at > 0 and self.ranges[at - 1][1] == number - 1
        joins_after = at < len(self.ranges) and self.ranges[at][0] == number + 1
        if joins_before and joins_after:
            self.ranges[at - 1][1] = self.ranges.pop(at)[1]
        elif joins_before:
            self.ranges[at - 1][1] = number
        elif joins_after:
            self.ranges[at][0] = number
        else:
            self.ranges.insert(at, [number, number])


class Checkpoint:
    """Connections that are settled: replayed, skipped, or not wanted."""

    def __init__(self, path: Path, asked: str) -> None:
        """Read the file if there is one; `asked` describes what is replayed, and how often.

        Raises:
            UsageProblem: the file is no checkpoint, or one of another replay.
        """
        self._path = path
        self._asked = asked
        self._by_writer: dict[int, _Numbers] = {}
        self._is_changed = True
        try:
            with path.open("rb") as file:
                text = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return
        except OSError as problem:
            raise UsageProblem(
                f"{quote(str(path))}: {problem.strerror}", "expected a file that can be written"
            ) from None
        self._take(text)

    def _take(self, text: bytes) -> None:
        try:
            kept = json.loads(text)
            asked, settled = kept["replay"], kept["settled"]
            for writer, ranges in settled.items():
                self._by_writer[int(writer, 16)] = _Numbers(
                    sorted([int(first), int(last)] for first, last in ranges)
                )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise UsageProblem(
                f"{quote(str(self._path))} is no checkpoint", "name another file"
            ) from None
        if asked != self._asked:
            raise UsageProblem(
                f"{quote(str(self._path))} is of a replay with other filters or copies",
                "give the same ones again, or name another file",
            )

    def __contains__(self, connection: ConnectionId) -> bool:
        numbers = self._by_writer.get(connection.writer)
        return numbers is not None and connection.number in numbers

    def settle(self, connection: ConnectionId) -> None:
        """Note that a connection need not be replayed again."""
        numbers = self._by_writer.setdefault(connection.writer, _Numbers([]))
        numbers.add(connection.number)
        self._is_changed = True

    def write(self) -> None:
        """Put the file in place of the one before, as a whole.

        Raises:
            OSError: the one before is still there.
        """
        if not self._is_changed:
            return
        settled = {f"{writer:016x}": each.ranges for writer, each in self._by_writer.items()}
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        try:
            with new.open("w") as file:
                json.dump({"replay": self._asked, "settled": settled}, file)
                file.flush()
                os.fsync(file.fileno())
            new.rename(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()
            raise
        self._is_changed = False
