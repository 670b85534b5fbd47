"""All kinds of mirrors that can be written, in the order in which messages name them.

`spliceproxy.sinks.kinds` has what each of them does.
"""

from spliceproxy.errors import alternatives
from spliceproxy.settings.mirror_kinds.capture import CaptureKind
from spliceproxy.settings.mirror_kinds.exec import ExecKind
from spliceproxy.settings.mirror_kinds.file import FileKind
from spliceproxy.settings.mirror_kinds.kind import MirrorKind
from spliceproxy.settings.mirror_kinds.null import NullKind
from spliceproxy.settings.mirror_kinds.tcp import TcpKind
from spliceproxy.settings.mirror_kinds.tls import TlsKind
from spliceproxy.settings.mirror_kinds.unix import UnixKind

KINDS: dict[str, MirrorKind] = {
    kind.name: kind
    for kind in (
        FileKind(),
        CaptureKind(),
        TcpKind(),
        TlsKind(),
        UnixKind(),
        ExecKind(),
        NullKind(),
    )
}


def mirror_forms() -> str:
    """Return how mirrors are written, for messages."""
    return alternatives([kind.form for kind in KINDS.values()])
