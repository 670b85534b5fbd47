"""A table of what became of each connection, in a file of SQLite."""

import json
import sqlite3
from pathlib import Path

from spliceproxy.errors import UsageProblem, quote
from spliceproxy.replay.replay_tally import PlayResult

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, began REAL, summary TEXT);
CREATE TABLE IF NOT EXISTS connections (
    run INTEGER, id TEXT, copy INTEGER, began REAL, result TEXT, reason TEXT, sent_bytes INTEGER,
    answer_bytes INTEGER, recorded_answer_bytes INTEGER, lag_s REAL, duration_s REAL
);
"""
_INSERT = "INSERT INTO connections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_MOST_ROWS = 1000
"""That wait in memory."""


class ReplayReport:
    """Each run adds to the file; rows are written by the thousand, and in `flush`."""

    def __init__(self, path: Path, began_s: float) -> None:
        """Open the file, or make it.

        Raises:
            UsageProblem: it cannot be written, or is something else.
        """
        self._rows: list[tuple[object, ...]] = []
        try:
            self._file = sqlite3.connect(path)
            try:
                self._run = self._begin(began_s)
            except sqlite3.Error:
                self._file.close()
                raise
        except sqlite3.Error as problem:
            raise UsageProblem(
                f"{quote(str(path))}: {problem}", "name a file of an earlier report, or a new one"
            ) from None

    def _begin(self, began_s: float) -> int | None:
        self._file.executescript(_TABLES)
        added = self._file.execute("INSERT INTO runs (began) VALUES (?)", (began_s,))
        self._file.commit()
        return added.lastrowid

    def add(self, result: PlayResult) -> None:
        """Add a connection.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        self._rows.append(
            (
                self._run,
                result.id,
                result.copy,
                result.began_s or None,
                result.outcome,
                result.reason,
                result.sent_bytes,
                result.answer_bytes,
                result.recorded_answer_bytes,
                result.lag_s,
                result.duration_s,
            )
        )

    @property
    def is_due(self) -> bool:
        """Whether it is time for `flush`."""
        return len(self._rows) >= _MOST_ROWS

    def flush(self) -> None:
        """Write what waits.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        rows, self._rows = self._rows, []
        if rows:
            self._file.executemany(_INSERT, rows)
            self._file.commit()

    def close(self, summary: dict[str, object]) -> None:
        """Write the rest.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        try:
            self.flush()
            told = json.dumps(summary)
            self._file.execute("UPDATE runs SET summary = ? WHERE run = ?", (told, self._run))
            self._file.commit()
        finally:
            self._file.close()
