"""`null:` counts and drops: what a tap costs before a sink costs anything."""

import os

from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.sink import Medium, MirrorPeer, Sink


class NullSink(Sink):
    """Has /dev/null open."""

    descriptors = 0
    own_descriptors = 1
    medium = Medium.DEVICE

    def __init__(
        self, settings: MirrorSettings, reactor: Reactor, disk: Disk, peer: MirrorPeer | None
    ) -> None:
        super().__init__(settings, reactor, disk, peer)
        self._fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    def make_outlet(self, branch: Branch, name: str) -> Outlet:
        """See `Sink.make_outlet`."""
        return NullOutlet(branch, self._fd)

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)


class NullOutlet(Outlet):
    """Moves chunks into /dev/null, pipes by splice."""

    def __init__(self, branch: Branch, null_fd: int) -> None:
        self._branch = branch
        self._null_fd = null_fd

    def start(self) -> None:
        """It is open."""
        self._branch.opened()

    def flush(self) -> None:
        """Drop all that is queued."""
        queue = self._branch.queue
        while queue:
            chunk = queue[0]
            count = chunk.write_to(self._null_fd)
            if not chunk.size:
                queue.popleft().discard()
            self._branch.delivered(count)

    def finish(self, *, clean: bool) -> None:
        """End: the branch has flushed what had waited."""
        self._branch.closed()

    def cut(self) -> None:
        """End now."""
        self._branch.closed()
