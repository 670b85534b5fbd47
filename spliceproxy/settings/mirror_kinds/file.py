"""`file:DIR`: audit files in a directory."""

from typing import Any

from spliceproxy.settings.mirror_kinds.kind import MirrorKind, SinkSettings
from spliceproxy.settings.mirror_kinds.paths import parse_path


class FileKind(MirrorKind):
    """The target is the directory."""

    name = "file"
    form = "file:DIR"
    direction = "both"
    is_directory = True
    overflows = ("detach", "gap", "block")  # a file needs no second file

    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        """See `MirrorKind.parse_sink`."""
        return SinkSettings(parse_path(self.name, text))
