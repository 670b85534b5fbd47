"""What a worker counts of a route's sessions and their copies, in the table that others read."""

from collections.abc import Iterable, Sequence

from spliceproxy.ipc.rows import BackendCell
from spliceproxy.observe.tally import RouteTally, Tally
from spliceproxy.proxy.mirror_counters import MirrorCounters
from spliceproxy.proxy.session import Session
from spliceproxy.proxy.worker_mirrors import mirror_names
from spliceproxy.sinks.mirrors import Mirror


class SessionCounters:
    """Counts the steps of each session, and once a second the bytes of those that are open."""

    def __init__(
        self, tally: Tally, route: str, max_connections: int, mirrors: Sequence[Mirror]
    ) -> None:
        self._tally = tally
        self.slot = tally.slot
        """The worker's, in the shared table."""
        self._route_name = route
        self._attached: dict[str, MirrorCounters] = {}
        self.route = RouteTally(tally, route, max_connections)
        names = mirror_names(mirror.settings for mirror in mirrors)
        self._mirrors = {
            id(mirror): MirrorCounters(tally, route, name, mirror)
            for mirror, name in zip(mirrors, names, strict=True)
        }

    def attach(self, mirror: Mirror) -> MirrorCounters:
        """Count a mirror of the route that is attached while it runs."""
        name = mirror.settings.text
        counters = MirrorCounters(self._tally, self._route_name, name, mirror)
        self._attached[name] = counters
        counters.attach()
        return counters

    def detach(self, mirror: Mirror) -> None:
        """Count for the last time a mirror that is attached no more."""
        self._attached.pop(mirror.settings.text).detach()

    def mirrored(self, session: Session) -> None:
        """Count the streams that a session's mirrors get."""
        for mirror, branch in session.mirrors.branches if session.mirrors else ():
            self._mirrors[id(mirror)].opened(branch)

    def sockets_closed(self, session: Session) -> None:
        """Count a connection by the way in which it ended."""
        self.route.ended(session, session.record, session.backend_name)

    def forget(self, session: Session) -> None:
        """Count a connection of which nothing is left."""
        self.route.over()
        for mirror, branch in session.mirrors.branches if session.mirrors else ():
            self._mirrors[id(mirror)].ended(branch)

    def open_at(self, backend: str) -> int:
        """Return how many connections a backend has; none that has no name."""
        return self.route.backend(backend).cells[BackendCell.ACTIVE] if backend else 0

    def look(self, sessions: Iterable[Session]) -> None:
        """Count what open connections have moved since the last time."""
        for session in sessions:
            traffic = session.traffic()
            if traffic is not None:
                self.route.moved(session, session.backend_name, traffic)

    def look_at_mirrors(self) -> None:
        """Count what has become of open streams since the last time, and say how mirrors are."""
        for counters in (*self._mirrors.values(), *self._attached.values()):
            counters.look()
