"""The report as an SQLite database: a file of the user's, or one that goes with the process."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spliceproxy.errors import UsageProblem, quote

MOST_TEXT_CHARACTERS = 2048
"""Of a sample's values; the middle of a longer one is left out."""
_APPLICATION = 0x53504C43
"""Tells a report from other databases (PRAGMA application_id): SPLC."""
_TABLES = """
CREATE TABLE summary (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE differences (
    id INTEGER PRIMARY KEY, request TEXT NOT NULL, level TEXT NOT NULL, field TEXT NOT NULL,
    counts INTEGER NOT NULL, weight REAL NOT NULL, raw INTEGER NOT NULL, noise INTEGER NOT NULL,
    answers INTEGER NOT NULL, noise_answers INTEGER NOT NULL,
    first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL);
CREATE TABLE samples (
    difference INTEGER NOT NULL, time_ns INTEGER NOT NULL, connection TEXT NOT NULL,
    asked TEXT NOT NULL, recorded TEXT NOT NULL, new TEXT NOT NULL);
CREATE INDEX samples_of ON samples (difference);
CREATE TABLE latencies (capture TEXT NOT NULL, upper_s REAL NOT NULL, count INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class DifferenceSample:
    """One difference with all that is known of it."""

    time_ns: int
    connection: str
    asked: str
    recorded: str
    new: str


class ReportFile:
    """Written beside its name, and renamed at the end: a report is whole or not there."""

    def __init__(self, path: Path | None) -> None:
        """Begin it.

        Raises:
            UsageProblem: it cannot be written there, or something else is.
        """
        self._path = path
        self._unfinished = None if path is None else path.with_name(f"{path.name}.{os.getpid()}")
        if path is not None and path.exists() and not _is_report(path):
            raise UsageProblem(f"{quote(str(path))} is no report", "name another file")
        # Without a name SQLite keeps it in memory as far as its cache goes, and then in a file
        # that has no name either (https://www.sqlite.org/inmemorydb.html#temp_db).
        try:
            self._database = sqlite3.connect("" if path is None else str(self._unfinished))
            self._database.execute(f"PRAGMA application_id = {_APPLICATION}")
            self._database.executescript(_TABLES)
        except sqlite3.Error as problem:
            raise UsageProblem(
                f"{quote(str(path))}: {problem}", "expected a file that can be written"
            ) from None

    def add_sample(self, difference: int, sample: DifferenceSample) -> None:
        """Keep a sample."""
        texts = [_cut(text) for text in (sample.asked, sample.recorded, sample.new)]
        row = (difference, sample.time_ns, sample.connection, *texts)
        self._database.execute("INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?)", row)

    def samples(self, difference: int) -> Iterator[DifferenceSample]:
        """Return what was kept of one difference."""
        wanted = "SELECT time_ns, connection, asked, recorded, new FROM samples WHERE difference=?"
        for row in self._database.execute(f"{wanted} ORDER BY rowid", (difference,)):
            yield DifferenceSample(*row)

    def add_difference(self, row: tuple[int | float | str, ...]) -> None:
        """Add a row of the table of differences."""
        marks = ", ".join("?" * len(row))
        self._database.execute(f"INSERT INTO differences VALUES ({marks})", row)  # noqa: S608

    def add_latencies(self, capture: str, classes: Iterable[tuple[float, int]]) -> None:
        """Add the classes of a histogram."""
        rows = [(capture, upper_s, count) for upper_s, count in classes]
        self._database.executemany("INSERT INTO latencies VALUES (?, ?, ?)", rows)

    def add_summary(self, name: str, value: object) -> None:
        """Add something that is said once."""
        self._database.execute("INSERT INTO summary VALUES (?, ?)", (name, str(value)))

    def finish(self) -> None:
        """Give the file its name.

        Raises:
            UsageProblem: it cannot be written to its end.
        """
        try:
            self._database.commit()
            if self._path is not None and self._unfinished is not None:
                self._unfinished.replace(self._path)
        except (sqlite3.Error, OSError) as problem:
            raise UsageProblem(f"{quote(str(self._path))}: {problem}", "make room for it") from None

    def close(self) -> None:
        """Close it; one that is not finished goes."""
        self._database.close()
        if self._unfinished is not None:
            self._unfinished.unlink(missing_ok=True)


def _is_report(path: Path) -> bool:
    """Whether a file is a report of an earlier comparison, which may be replaced."""
    try:
        with path.open("rb") as file:
            head = file.read(72)
    except OSError:
        return False
    # The database header, at 68 the application's number (https://www.sqlite.org/fileformat.html).
    return not head or (
        head.startswith(b"SQLite format 3\0") and int.from_bytes(head[68:72]) == _APPLICATION
    )


def _cut(text: str) -> str:
    if len(text) <= MOST_TEXT_CHARACTERS:
        return text
    half = MOST_TEXT_CHARACTERS // 2
    return f"{text[:half]} ... {text[-half:]}"
