"""Counting a route's connections, and the copies of their traffic, for whoever asks."""

from collections.abc import Iterable, Sequence

from spliceproxy.ipc.rows import BackendCell, MirrorCell
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.observe.tally import MirrorTally, RouteTally, Tally
from spliceproxy.proxy.session import Session
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.mirrors import Mirror


def mirror_names(mirrors: Iterable[MirrorSettings]) -> list[str]:
    """Name the mirrors of a route by their places; a second one at a place gets a number."""
    names: list[str] = []
    for mirror in mirrors:
        before = sum(name.partition("#")[0] == mirror.text for name in names)
        names.append(f"{mirror.text}#{before + 1}" if before else mirror.text)
    return names


class Counting:
    """Ties a route's sessions to its counters."""

    def __init__(
        self, tally: Tally, route: str, max_connections: int, mirrors: Sequence[Mirror]
    ) -> None:
        self._tally = tally
        self._route_name = route
        self._attached: dict[str, MirrorTally] = {}
        self.route = RouteTally(tally, route, max_connections)
        names = mirror_names(mirror.settings for mirror in mirrors)
        self._mirrors = {
            id(mirror): MirrorTally(tally, route, name)
            for mirror, name in zip(mirrors, names, strict=True)
        }

    def attach(self, name: str) -> MirrorTally:
        """Count a mirror of the route that is attached while it runs."""
        tally = self._attached[name] = MirrorTally(self._tally, self._route_name, name)
        tally.cells[MirrorCell.ATTACHED] = 1
        return tally

    def detach(self, name: str) -> None:
        """Count for the last time a mirror that is attached no more."""
        tally = self._attached.pop(name)
        tally.look()
        tally.cells[MirrorCell.ATTACHED] = 0

    def mirrored(self, session: Session) -> None:
        """Count the streams that a session's mirrors get."""
        for mirror, branch in session.branches:
            self._mirrors[id(mirror)].opened(branch)

    def ended(self, session: Session, record: ConnectionRecord) -> None:
        """Count a connection whose sockets are closed."""
        self.route.ended(session, record, session.backend_name)

    def over(self, session: Session) -> None:
        """Count a connection of which nothing is left."""
        self.route.over()
        for mirror, branch in session.branches:
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
        """Count what has become of open streams since the last time."""
        for tally in (*self._mirrors.values(), *self._attached.values()):
            tally.look()
