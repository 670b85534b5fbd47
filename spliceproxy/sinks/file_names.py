"""The names of audit files: `DAY/CONNECTION-DIRECTION`, and `DAY/CONNECTION.json` beside them.

A connection's name, which begins with its time, is made by `Mirrors.name_connection`; its files are
in the directory of the day on which it began (UTC), so that no directory has those of all days.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

PART_SUFFIX = ".part"
INCOMPLETE_SUFFIX = ".incomplete"
RECORD_SUFFIX = ".json"

_STAMP = "%Y%m%dT%H%M%S.%fZ"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FILE = re.compile(
    r"(?P<connection>(?P<stamp>\d{8}T\d{6}\.\d{6}Z)-[A-Za-z0-9._]*-(?P<pid>\d{1,10})-\d{6,19})"
    r"(?:-(?:request|response)(?:\.part|\.incomplete)?|\.json(?:\.part)?)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class AuditName:
    """The name of an audit file, taken apart."""

    connection: str
    stamp: str
    """When the connection began."""
    pid: int
    """Of the process that has written it."""

    @property
    def began_s(self) -> float:
        """When the connection began, by the clock on the wall."""
        try:
            return datetime.strptime(self.stamp, _STAMP).replace(tzinfo=UTC).timestamp()
        except ValueError:  # the 40th of a month
            return math.inf


def day_of(connection: str) -> str:
    """Return the directory that a connection's files are in."""
    return f"{connection[:4]}-{connection[4:6]}-{connection[6:8]}"


def is_day(name: str) -> bool:
    """Return whether that is the name of such a directory."""
    return _DAY.fullmatch(name) is not None


def stamp_of(time_s: float) -> str:
    """Return how the names of connections begin that began then."""
    return datetime.fromtimestamp(time_s, UTC).strftime(_STAMP)


def parse_name(name: str) -> AuditName | None:
    """Take the name of a file apart; None: no mirror has given it."""
    found = _FILE.fullmatch(name)
    return found and AuditName(found["connection"], found["stamp"], int(found["pid"]))
