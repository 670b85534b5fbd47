"""`unix:PATH`: a connection to a unix socket for each stream."""

from typing import Any

from spliceproxy.settings.address import UNIX_PREFIX, parse_unix
from spliceproxy.settings.mirror_kinds.kind import MirrorKind, SinkSettings
from spliceproxy.settings.mirror_kinds.paths import parse_path


class UnixKind(MirrorKind):
    """The address is the socket; the target is its path."""

    name = "unix"
    form = "unix:PATH"
    granted = True
    overflows = ("detach", "spill", "block")  # as for tcp

    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        """See `MirrorKind.parse_sink`."""
        path = parse_path(self.name, text)
        return SinkSettings(path, parse_unix(UNIX_PREFIX + path))
