"""`capture:DIR`: a log of whole connections in segments, to be read, replayed and compared."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spliceproxy.settings.mirror_kinds.kind import MirrorKind, SinkSettings
from spliceproxy.settings.mirror_kinds.option import Option, choice, flag
from spliceproxy.settings.mirror_kinds.paths import parse_path
from spliceproxy.settings.mirror_kinds.retention import KEEP_ALL, RETENTION_OPTIONS, Retention
from spliceproxy.settings.units import (
    format_duration,
    format_size,
    parse_duration,
    parse_positive_size,
)

if TYPE_CHECKING:
    from spliceproxy.settings.mirror import MirrorSettings

SEGMENT_BYTES = 256 << 20
SEGMENT_AGE_S = 300.0
_NOT = "none"
_LEAST_SEGMENT_BYTES = 1 << 20
_LEAST_SEGMENT_AGE_S = 1.0


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What only this kind has."""

    segment_bytes: int = SEGMENT_BYTES
    """A segment of this size is followed by the next one."""
    segment_age_s: float = SEGMENT_AGE_S
    """So is one that was begun so long ago."""
    retention: Retention = KEEP_ALL
    trust_directory: bool = False
    """The directory is used though others could redirect what is written there."""
    compress: str = ""
    """What segments are compressed by when they are sealed; empty: nothing."""


def _parse_segment_bytes(text: str) -> int:
    size = parse_positive_size(text)
    if size < _LEAST_SEGMENT_BYTES:
        raise ValueError(f"{text!r} is too small: expected 1MiB or more")
    return size


def _parse_segment_age(text: str) -> float:
    age_s = parse_duration(text)
    if age_s < _LEAST_SEGMENT_AGE_S:
        raise ValueError(f"{text!r} is too short: expected 1s or longer")
    return age_s


class CaptureKind(MirrorKind):
    """The target is the directory."""

    name = "capture"
    form = "capture:DIR"
    direction = "both"
    is_directory = True
    keeps_answers = True
    overflows = ("detach", "gap", "block")  # a file needs no second file
    options = {  # noqa: RUF012
        "segment_bytes": Option("segment_bytes", _parse_segment_bytes),
        "segment_age": Option("segment_age", _parse_segment_age),
        "compress": choice("compress", _NOT, "zstd"),
        **RETENTION_OPTIONS,
        "trust_directory": flag("trust_directory"),
    }

    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        """See `MirrorKind.parse_sink`."""
        own = CaptureOptions(
            options.pop("segment_bytes", SEGMENT_BYTES),
            options.pop("segment_age", SEGMENT_AGE_S),
            Retention.take_from(options),
            options.pop("trust_directory", False),
            options.pop("compress", _NOT).replace(_NOT, ""),
        )
        return SinkSettings(parse_path(self.name, text), own=own)

    def reserved_options(self, mirror: "MirrorSettings") -> list[str]:
        """See `MirrorKind.reserved_options`."""
        own: CaptureOptions = mirror.own
        others = {"compress": own.compress, "trust_directory": own.trust_directory}
        return [*own.retention.write(), *(name for name, value in others.items() if value)]

    def write_options(self, mirror: "MirrorSettings") -> dict[str, Any]:
        """See `MirrorKind.write_options`."""
        own: CaptureOptions = mirror.own
        return {
            "segment_bytes": format_size(own.segment_bytes),
            "segment_age": format_duration(own.segment_age_s),
            "compress": own.compress or _NOT,
            **own.retention.write(),
            "trust_directory": own.trust_directory,
        }
