"""`tls:` mirrors: as `tcp:`, with connections that are secured first."""

from functools import partial

from spliceproxy.loop.dial import DialOwner
from spliceproxy.loop.line_sums import LineSums
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.secured_dial import SecuredDial
from spliceproxy.sinks.sink import MirrorPeer
from spliceproxy.sinks.stream import StreamSink
from spliceproxy.sinks.stream_outlet import PeerDial, name_dial_failure, plain_dial
from spliceproxy.sinks.tls_outlet import TlsAnsweringOutlet, TlsOutlet


class TlsSink(StreamSink):
    """Tells the log what a handshake has failed for, which a reason is too short for."""

    _outlet = TlsOutlet
    _answering_outlet = TlsAnsweringOutlet

    def __init__(
        self, settings: MirrorSettings, reactor: Reactor, disk: Disk, peer: MirrorPeer | None
    ) -> None:
        """See `Sink`."""
        super().__init__(settings, reactor, disk, peer)
        self._sums = LineSums(reactor.timers, mirror=settings.text)

    def dial(self, owner: DialOwner) -> PeerDial:
        """See `StreamSink.dial`."""
        peer = self.peer
        assert peer is not None and peer.tls is not None  # noqa: S101, PT018 - of these mirrors
        connect = partial(plain_dial, self.reactor, peer.targets)
        return SecuredDial(self.reactor, peer.tls, owner, connect, self._not_secured)

    def _not_secured(self, why: str, detail: str) -> None:
        labels = {"reason": name_dial_failure(why), "detail": detail}
        self._sums.warn("mirror_not_secured", labels)

    def close(self) -> None:
        """See `StreamSink.close`."""
        super().close()
        self._sums.flush()
