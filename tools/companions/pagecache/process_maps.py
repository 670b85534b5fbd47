"""A process's memory maps, one by one or added up by what is behind them (/proc/PID/smaps)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.companions.pagecache.errors import PageCacheError

_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) \S+ \d+ *(.*)")
_AMOUNT = re.compile(r"(\w+): +(\d+) kB")
ANONYMOUS = "[anonymous]"


@dataclass
class Region:
    """One map. Pages are shared when another process has mapped them, too (proc_pid_smaps(5))."""

    begin: int
    end: int
    permissions: str
    """As in `rw-s`: read, write, execute; `s` for MAP_SHARED, `p` for MAP_PRIVATE."""
    offset_bytes: int
    name: str
    resident_bytes: int = 0
    shared_bytes: int = 0
    private_bytes: int = 0
    dirty_bytes: int = 0
    swapped_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        return self.end - self.begin

    def add(self, field: str, amount_bytes: int) -> None:
        """Count one line below the map's head; most of them say nothing that is asked for here."""
        if field == "Rss" or field.endswith("_Hugetlb"):  # which Rss leaves out
            self.resident_bytes += amount_bytes
        if field.startswith("Shared_"):
            self.shared_bytes += amount_bytes
        if field.startswith("Private_"):
            self.private_bytes += amount_bytes
        if field in {"Shared_Dirty", "Private_Dirty"}:
            self.dirty_bytes += amount_bytes
        if field == "Swap":
            self.swapped_bytes += amount_bytes


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

    def add(self, region: Region) -> None:
        self.maps += 1
        self.size_bytes += region.size_bytes
        self.resident_bytes += region.resident_bytes
        self.shared_bytes += region.shared_bytes
        self.private_bytes += region.private_bytes
        self.swapped_bytes += region.swapped_bytes


def parse(lines: Iterable[str]) -> list[Region]:
    """Return the maps in smaps, in its order. Lines of other kinds are skipped."""
    found: list[Region] = []
    for line in lines:
        if head := _HEAD.fullmatch(line):
            begin, end, permissions, offset, name = head.groups()
            region = Region(
                int(begin, 16), int(end, 16), permissions, int(offset, 16), name or ANONYMOUS
            )
            found.append(region)
        elif found and (amount := _AMOUNT.fullmatch(line)):
            found[-1].add(amount[1], int(amount[2]) * 1024)
    return found


def add_up(regions: Iterable[Region]) -> list[Backing]:
    """Add up the maps of each file; what has most resident bytes comes first."""
    found: dict[str, Backing] = {}
    for region in regions:
        found.setdefault(region.name, Backing(region.name)).add(region)
    return sorted(found.values(), key=lambda backing: -backing.resident_bytes)


def of_process(pid: int) -> list[Region]:
    """Read the maps of a process.

    Raises:
        PageCacheError: there is no such process, or it is somebody else's.
    """
    try:
        text = Path(f"/proc/{pid}/smaps").read_text(errors="surrogateescape")
    except OSError as error:
        raise PageCacheError(f"the maps of process {pid}: {error.strerror}") from error
    return parse(text.splitlines())


def region_rows(regions: Iterable[Region]) -> Iterator[list[str]]:
    """Yield the cells of a table: every map, and the total; amounts are in KiB."""
    total = Region(0, 0, "", 0, "")
    for region in regions:
        yield [
            f"{region.begin:x}-{region.end:x}",
            region.permissions,
            f"{region.offset_bytes:x}",
            *_kibibytes(*_amounts(region)),
            _printable(region.name),
        ]
        total.end += region.size_bytes
        total.resident_bytes += region.resident_bytes
        total.shared_bytes += region.shared_bytes
        total.dirty_bytes += region.dirty_bytes
    yield ["total", "", "", *_kibibytes(*_amounts(total)), ""]


def _amounts(region: Region) -> tuple[int, int, int, int]:
    return region.size_bytes, region.resident_bytes, region.shared_bytes, region.dirty_bytes


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
    return [name, str(backing.maps), *_kibibytes(*amounts)]


def _kibibytes(*amounts: int) -> list[str]:
    return [f"{amount / 1024:,.0f}" for amount in amounts]


def _printable(name: str) -> str:
    """Return a file's name without what would change the terminal: names are anybody's choice."""
    return "".join(character if character.isprintable() else "?" for character in name)
