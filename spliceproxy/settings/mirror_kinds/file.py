"""`file:DIR`: audit files in a directory, and for how long they are kept."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spliceproxy.settings.mirror_kinds.kind import MirrorKind, SinkSettings
from spliceproxy.settings.mirror_kinds.option import Option, flag
from spliceproxy.settings.mirror_kinds.paths import parse_path
from spliceproxy.settings.units import (
    format_duration,
    format_percent,
    format_size,
    parse_duration,
    parse_percent,
    parse_positive_size,
)

if TYPE_CHECKING:
    from spliceproxy.settings.mirror import MirrorSettings


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
    """Which files go, the oldest first; None: that is no reason."""

    max_age_s: float | None = None
    """So long after its end a connection's files are kept."""
    max_total_bytes: int | None = None
    """So much of the disk may all files of the directory take."""
    keep_free: KeepFree | None = None

    @property
    def is_limited(self) -> bool:
        """Whether any file ever goes."""
        return self != Retention()


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What only this kind has."""

    retention: Retention = Retention()
    trust_directory: bool = False
    """The directory is used though others could redirect what is written there."""


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


class FileKind(MirrorKind):
    """The target is the directory."""

    name = "file"
    form = "file:DIR"
    direction = "both"
    is_directory = True
    overflows = ("detach", "gap", "block")  # a file needs no second file
    options = {  # noqa: RUF012
        "max_age": Option("max_age", _parse_age),
        "max_total": Option("max_total", parse_positive_size),
        "keep_free": Option("keep_free", _parse_keep_free),
        "trust_directory": flag("trust_directory"),
    }

    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        """See `MirrorKind.parse_sink`."""
        path = parse_path(self.name, text)
        limits = (options.pop(name, None) for name in ("max_age", "max_total", "keep_free"))
        trusts = options.pop("trust_directory", False)
        return SinkSettings(path, own=FileOptions(Retention(*limits), trusts))

    def reserved_options(self, mirror: "MirrorSettings") -> list[str]:
        """See `MirrorKind.reserved_options`."""
        own: FileOptions = mirror.own
        kept = own.retention
        given = {
            "max_age": kept.max_age_s is not None,
            "max_total": kept.max_total_bytes is not None,
            "keep_free": kept.keep_free is not None,
            "trust_directory": own.trust_directory,
        }
        return [name for name, is_set in given.items() if is_set]

    def write_options(self, mirror: "MirrorSettings") -> dict[str, Any]:
        """See `MirrorKind.write_options`."""
        own: FileOptions = mirror.own
        kept, options = own.retention, dict[str, Any]()
        if kept.max_age_s is not None:
            options["max_age"] = format_duration(kept.max_age_s)
        if kept.max_total_bytes is not None:
            options["max_total"] = format_size(kept.max_total_bytes)
        if kept.keep_free is not None:
            options["keep_free"] = str(kept.keep_free)
        return {**options, "trust_directory": own.trust_directory}
