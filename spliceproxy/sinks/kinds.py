"""Each kind of mirror, and the sink that its copies go to: a row for each.

What can be written for a kind is its file's in `spliceproxy.settings.mirror_kinds`; what is done
for it is that of the sink here. Nothing else knows one kind from another.
"""

from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_kinds.capture import CaptureKind
from spliceproxy.settings.mirror_kinds.exec import ExecKind
from spliceproxy.settings.mirror_kinds.file import FileKind
from spliceproxy.settings.mirror_kinds.null import NullKind
from spliceproxy.settings.mirror_kinds.tcp import TcpKind
from spliceproxy.settings.mirror_kinds.tls import TlsKind
from spliceproxy.settings.mirror_kinds.unix import UnixKind
from spliceproxy.sinks.capture import CaptureSink
from spliceproxy.sinks.exec import ExecSink
from spliceproxy.sinks.file import FileSink
from spliceproxy.sinks.null import NullSink
from spliceproxy.sinks.sink import Sink
from spliceproxy.sinks.stream import StreamSink
from spliceproxy.sinks.tls import TlsSink

SINKS: dict[str, type[Sink]] = {
    FileKind.name: FileSink,
    CaptureKind.name: CaptureSink,
    TcpKind.name: StreamSink,
    TlsKind.name: TlsSink,
    UnixKind.name: StreamSink,
    ExecKind.name: ExecSink,
    NullKind.name: NullSink,
}


def sink_of(mirror: MirrorSettings) -> type[Sink]:
    """Return the kind of sink that a mirror has."""
    return SINKS[mirror.kind]
