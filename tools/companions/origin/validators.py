"""What tells one version of a file from another: ETag and Last-Modified (RFC 9110, 8.8)."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate

_LATEST_S = 253_402_300_799  # the end of the year 9999: HTTP dates have four digits for it
# The three forms that a recipient has to read (RFC 9110, 5.6.7).
_DATE_FORMATS = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")


@dataclass(frozen=True, slots=True)
class FileVersion:
    """One state of one file, as fstat(2) told it."""

    device: int
    inode: int
    mtime_ns: int
    size_bytes: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileVersion":
        """Take what matters from a stat result."""
        return cls(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)

    @property
    def etag(self) -> str:
        """A strong validator; a file that another one replaced has another inode."""
        return f'"{self.inode:x}-{self.mtime_ns:x}-{self.size_bytes:x}"'

    @property
    def modified_s(self) -> int:
        """The second of the last modification, as Last-Modified can express it."""
        return min(max(0, self.mtime_ns // 1_000_000_000), _LATEST_S)


def format_date(seconds: int) -> str:
    """Return an HTTP date."""
    return formatdate(seconds, usegmt=True)


def parse_date(text: str) -> int | None:
    """Return the seconds since 1970 of an HTTP date, None for anything else."""
    for date_format in _DATE_FORMATS:
        try:
            moment = datetime.strptime(text.strip(), date_format)
        except ValueError:
            continue
        return int(moment.replace(tzinfo=UTC).timestamp())
    return None
