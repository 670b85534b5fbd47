"""A route's listeners in one worker, and the connections that came in by them."""

import socket
from collections.abc import Callable, Iterable

import structlog

from spliceproxy.kernel.sockets import Socket
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.proxy.client import Client
from spliceproxy.proxy.counting import Counting
from spliceproxy.proxy.listener import Listener
from spliceproxy.proxy.route import Route
from spliceproxy.proxy.session import Session
from spliceproxy.pump.reactor import Reactor


class Frontend:
    """Accepts up to the route's limit; then the others wait in the backlog."""

    def __init__(
        self,
        reactor: Reactor,
        route: Route,
        max_connections: int,
        idle: Callable[[], None],
        *,
        worker: int,
        generation: int,
        counting: Counting,
        tells_connections: bool,
    ) -> None:
        self.sessions: set[Session] = set()
        self.mirroring: set[Session] = set()
        """Ended, but copies are still on their way to mirrors. They take no client's place."""
        self.listeners: list[Listener] = []
        self.counting = counting
        self._tells_connections = tells_connections
        self._reactor = reactor
        self._route = route
        self._max_connections = max_connections
        self._tell_idle = idle
        self._log = structlog.get_logger().bind(worker=worker, generation=generation)
        self._holding = True
        self._closed = False

    def listen(self, listening: Iterable[socket.socket], *, shared: bool) -> None:
        """Take over listening sockets; `hold` lets clients in."""
        self.listeners = [
            Listener(self._reactor, sock, self._accepted, shared=shared) for sock in listening
        ]

    @property
    def is_idle(self) -> bool:
        """Whether no connection is left."""
        return not self.sessions and not self.mirroring

    def hold(self, *, held: bool) -> None:
        """Accept, or hold clients in the backlog."""
        self._holding = held
        for listener in self.listeners:
            listener.update(held=held)

    def close(self, *, take_backlog: bool) -> None:
        """Accept no more, after what waits in the backlog if that is wanted."""
        listeners, self.listeners = self.listeners, []
        for listener in listeners:
            room = self._max_connections - len(self.sessions)
            listener.close(take_at_most=room if take_backlog else 0)
        self._closed = True

    def _accepted(self, listener: Listener, sock: Socket, address: object) -> None:
        client = Client(address, listener.name)
        session = Session(self._reactor, self, self._route, client, sock)
        self.sessions.add(session)
        self.counting.route.accepted()
        if len(self.sessions) >= self._max_connections:
            self.hold(held=True)
        session.start()

    def connect_failed(self, backend: str, why: str) -> None:
        """Count the attempt."""
        self.counting.route.backend(backend).failed.add(why)

    def session_connected(self, session: Session, connect_s: float) -> None:
        """Count the connection to the backend."""
        self.counting.route.backend(session.backend_name).connected(connect_s)

    def session_mirrored(self, session: Session) -> None:
        """Count the streams."""
        self.counting.mirrored(session)

    def session_ended(self, session: Session, record: ConnectionRecord) -> None:
        """Accept again if the session was one too many."""
        self.counting.ended(session, record)
        self.sessions.discard(session)
        self.mirroring.add(session)
        if self._holding and len(self.sessions) < self._max_connections:
            self.hold(held=False)

    def session_over(self, session: Session) -> None:
        """Forget the session."""
        self.counting.over(session)
        self.mirroring.discard(session)
        if self._closed and self.is_idle:
            self._tell_idle()

    def connection_ended(self, record: ConnectionRecord) -> None:
        """Log the connection."""
        if self._tells_connections:
            self._log.info("connection", **record.line())
