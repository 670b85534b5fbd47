"""For how long a mirror that writes into a directory keeps what is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spliceproxy.settings.mirror_kinds.option import Option
from spliceproxy.settings.units import (
    format_duration,
    format_percent,
    format_size,
    parse_duration,
    parse_percent,
    parse_positive_size,
)


@dataclass(frozen=True, slots=True)
class KeepFree:
    """What is to stay free of a file system: so many bytes, or such a part of it."""

    size_bytes: int = 0
    fraction: float = 0.0

    def __str__(self) -> str:
        return format_size(self.size_bytes) if self.size_bytes else format_percent(self.fraction)

    def of(self, file_system_bytes: int) -> int:
        """Return the bytes, of a file system of that size."""
        return self.size_bytes or int(self.fraction * file_system_bytes)


@dataclass(frozen=True, slots=True)
class Retention:
    """What goes, the oldest first; None: that is no reason."""

    max_age_s: float | None = None
    """So long after its end a connection's files are kept."""
    max_total_bytes: int | None = None
    """So much of the disk may all files of the directory take."""
    keep_free: KeepFree | None = None

    @classmethod
    def take_from(cls, options: dict[str, Any]) -> "Retention":
        """Take it out of parsed options."""
        return cls(*(options.pop(name, None) for name in RETENTION_OPTIONS))

    def write(self) -> dict[str, str]:
        """Return the options that are set, as users write them."""
        written = {}
        if self.max_age_s is not None:
            written["max_age"] = format_duration(self.max_age_s)
        if self.max_total_bytes is not None:
            written["max_total"] = format_size(self.max_total_bytes)
        if self.keep_free is not None:
            written["keep_free"] = str(self.keep_free)
        return written

    @property
    def is_limited(self) -> bool:
        """Whether any file ever goes."""
        return self != KEEP_ALL


KEEP_ALL = Retention()


def _parse_age(text: str) -> float:
    age_s = parse_duration(text)
    if not age_s:
        raise ValueError(f"{text!r} is too short: expected a duration such as 30d or 12h")
    return age_s


def _parse_keep_free(text: str) -> KeepFree:
    if not text.endswith("%"):
        return KeepFree(size_bytes=parse_positive_size(text))
    fraction = parse_percent(text)
    if not 0 < fraction < 1:
        raise ValueError(f"{text!r} is out of range: expected more than 0% and less than 100%")
    return KeepFree(fraction=fraction)


RETENTION_OPTIONS: Mapping[str, Option] = {
    "max_age": Option("max_age", _parse_age),
    "max_total": Option("max_total", parse_positive_size),
    "keep_free": Option("keep_free", _parse_keep_free),
}
