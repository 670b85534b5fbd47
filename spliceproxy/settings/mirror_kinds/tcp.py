"""`tcp://HOST:PORT`: a connection for each stream."""

from typing import Any

from spliceproxy.settings.address import parse_tcp
from spliceproxy.settings.mirror_kinds.kind import SinkSettings
from spliceproxy.settings.mirror_kinds.stream import StreamKind


class TcpKind(StreamKind):
    """The address is the host and port."""

    name = "tcp"
    form = "tcp://HOST:PORT"
    escapes_question_marks = False

    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        """See `MirrorKind.parse_sink`."""
        authority = text.removeprefix("//")
        if authority == text or not authority or "/" in authority:
            raise ValueError(f"expected {self.form}, as in {self.name}://127.0.0.1:514")
        # RFC 6874: how URLs write fe80::1%eth0
        address = parse_tcp(authority.replace("%25", "%"))
        return SinkSettings(str(address), address, own=self.take_own(options))
