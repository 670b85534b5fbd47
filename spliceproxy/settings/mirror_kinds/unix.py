"""`unix:PATH`: a connection to a unix socket for each stream."""

from typing import Any

from spliceproxy.settings.address import UNIX_PREFIX, parse_unix
from spliceproxy.settings.mirror_kinds.kind import SinkSettings
from spliceproxy.settings.mirror_kinds.paths import parse_path
from spliceproxy.settings.mirror_kinds.stream import StreamKind


class UnixKind(StreamKind):
    """The address is the socket; the target is its path."""

    name = "unix"
    form = "unix:PATH"

    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        """See `MirrorKind.parse_sink`."""
        path = parse_path(self.name, text)
        own = self.take_own(options)
        return SinkSettings(path, parse_unix(UNIX_PREFIX + path), own=own)
