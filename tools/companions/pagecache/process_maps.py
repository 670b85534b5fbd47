"""A process's memory maps, added up by what is behind them (/proc/PID/smaps, proc(5))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.companions.pagecache.errors import PageCacheError

_HEAD = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S{4} [0-9a-f]+ \S+ \d+ *(.*)")
_AMOUNT = re.compile(r"(\w+): +(\d+) kB")
_SHARED = ("Shared_Clean", "Shared_Dirty")
_PRIVATE = ("Private_Clean", "Private_Dirty")
ANONYMOUS = "[anonymous]"


@dataclass
class Backing:
    """All maps of one file, or of anonymous memory, in bytes."""

    name: str
    maps: int = 0
    size_bytes: int = 0
    resident_bytes: int = 0
    shared_bytes: int = 0
    private_bytes: int = 0
    swapped_bytes: int = 0

    def add(self, field: str, amount_bytes: int) -> None:
        """Count one line of a map; most of them say nothing that is asked for here."""
        if field == "Size":
            self.size_bytes += amount_bytes
        elif field == "Rss":
            self.resident_bytes += amount_bytes
        elif field in _SHARED:
            self.shared_bytes += amount_bytes
        elif field in _PRIVATE:
            self.private_bytes += amount_bytes
        elif field == "Swap":
            self.swapped_bytes += amount_bytes


def parse(lines: Iterable[str]) -> list[Backing]:
    """Add up smaps; what has most resident bytes comes first. Lines of other kinds are skipped."""
    found: dict[str, Backing] = {}
    current: Backing | None = None
    for line in lines:
        if head := _HEAD.fullmatch(line):
            name = head[1] or ANONYMOUS
            current = found.setdefault(name, Backing(name))
            current.maps += 1
        elif current and (amount := _AMOUNT.fullmatch(line)):
            current.add(amount[1], int(amount[2]) * 1024)
    return sorted(found.values(), key=lambda backing: -backing.resident_bytes)


def of_process(pid: int) -> list[Backing]:
    """Read the maps of a process.

    Raises:
        PageCacheError: there is no such process, or it is somebody else's.
    """
    try:
        text = Path(f"/proc/{pid}/smaps").read_text(errors="surrogateescape")
    except OSError as error:
        raise PageCacheError(f"the maps of process {pid}: {error.strerror}") from error
    return parse(text.splitlines())


def rows(backings: list[Backing], most: int) -> Iterator[list[str]]:
    """Yield the cells of a table: the largest, all others in a row, and the total."""
    for backing in backings[:most]:
        yield _cells(backing, _printable(backing.name))
    if rest := backings[most:]:
        yield _cells(_total(rest), f"{len(rest)} more")
    yield _cells(_total(backings), "total")


def _total(backings: Iterable[Backing]) -> Backing:
    total = Backing("")
    for backing in backings:
        total.maps += backing.maps
        total.size_bytes += backing.size_bytes
        total.resident_bytes += backing.resident_bytes
        total.shared_bytes += backing.shared_bytes
        total.private_bytes += backing.private_bytes
        total.swapped_bytes += backing.swapped_bytes
    return total


def _cells(backing: Backing, name: str) -> list[str]:
    amounts = (
        backing.size_bytes,
        backing.resident_bytes,
        backing.shared_bytes,
        backing.private_bytes,
        backing.swapped_bytes,
    )
    return [name, str(backing.maps), *(f"{amount / 1024:,.0f}" for amount in amounts)]


def _printable(name: str) -> str:
    """Return a file's name without what would change the terminal: names are anybody's choice."""
    return "".join(character if character.isprintable() else "?" for character in name)
