"""`file:DIR`: audit files in a directory, and for how long they are kept."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spliceproxy.settings.mirror_kinds.kind import MirrorKind, SinkSettings
from spliceproxy.settings.mirror_kinds.option import flag
from spliceproxy.settings.mirror_kinds.paths import parse_path
from spliceproxy.settings.mirror_kinds.retention import KEEP_ALL, RETENTION_OPTIONS, Retention

if TYPE_CHECKING:
    from spliceproxy.settings.mirror import MirrorSettings


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What only this kind has."""

    retention: Retention = KEEP_ALL
    trust_directory: bool = False
    """The directory is used though others could redirect what is written there."""


class FileKind(MirrorKind):
    """The target is the directory."""

    name = "file"
    form = "file:DIR"
    direction = "both"
    is_directory = True
    overflows = ("detach", "gap", "block")  # a file needs no second file
    options = {  # noqa: RUF012
        **RETENTION_OPTIONS,
        "trust_directory": flag("trust_directory"),
    }

    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        """See `MirrorKind.parse_sink`."""
        path = parse_path(self.name, text)
        retention = Retention.take_from(options)
        trusts = options.pop("trust_directory", False)
        return SinkSettings(path, own=FileOptions(retention, trusts))

    def reserved_options(self, mirror: "MirrorSettings") -> list[str]:
        """See `MirrorKind.reserved_options`."""
        own: FileOptions = mirror.own
        return [*own.retention.write(), *(["trust_directory"] if own.trust_directory else [])]

    def write_options(self, mirror: "MirrorSettings") -> dict[str, Any]:
        """See `MirrorKind.write_options`."""
        own: FileOptions = mirror.own
        return {**own.retention.write(), "trust_directory": own.trust_directory}
