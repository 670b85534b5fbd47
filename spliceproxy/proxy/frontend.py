"""A route's listeners in one worker, and the connections that came in by them."""

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from spliceproxy import reasons
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.line_sums import LineSums
from spliceproxy.loop.reactor import Reactor
from spliceproxy.observe.access_log import Tell
from spliceproxy.observe.tally import Tally
from spliceproxy.proxy.client import Client
from spliceproxy.proxy.limited_listener import LimitedListener
from spliceproxy.proxy.listener import Listener
from spliceproxy.proxy.received_client import ReceivedClient
from spliceproxy.proxy.reception import Entering, Reception, needs_reception
from spliceproxy.proxy.refusals import Refusals
from spliceproxy.proxy.route import Route
from spliceproxy.proxy.route_limits import AcceptLimits, admission
from spliceproxy.proxy.session import Session
from spliceproxy.proxy.session_counters import SessionCounters
from spliceproxy.proxy.vital_mirrors import can_be_recorded
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.tls.handshake_turns import HandshakeTurns
from spliceproxy.tls.route_tls import RouteTls
from spliceproxy.tls.server_contexts import ServerTls


class Frontend:
    """Accepts as far as limits allow; then the others wait in the backlog."""

    def __init__(
        self,
        reactor: Reactor,
        route: Route,
        max_connections: int,
        idle: Callable[[], None],
        *,
        limits: AcceptLimits | None,
        counters: SessionCounters,
        tell: Tell,
    ) -> None:
        """There is room for `max_connections` in this worker; `limits` are those of them all."""
        self.sessions: set[Session] = set()
        self.mirroring: set[Session] = set()
        """Ended, but copies are still on their way to mirrors. They take no client's place."""
        self.listeners: list[Listener] = []
        self.counters = counters
        self.tell = tell
        """Takes the record of a connection when its mirrors have settled."""
        self.name = route.name
        self.sums = LineSums(reactor.timers, route=route.name)
        """Tells the log what clients can cause at will."""
        self._reactor = reactor
        self._route = route
        self._max_connections = max_connections
        self._limits = limits
        self._places = None if limits is None else limits.places
        self._tell_idle = idle
        self._taken = 0  # places, by clients that came in here, wherever they have gone from here
        self._received: dict[Session, ReceivedClient] = {}
        self._tls: dict[Listener, ServerTls | None] = {}
        self.reception: Reception | None = None
        """None where clients go to their sessions at once."""
        self._holding = True
        self._closed = False

    def listen(
        self, listening: Sequence[socket.socket], tls: RouteTls | None, *, shared: bool
    ) -> None:
        """Take over listening sockets; `hold` lets clients in."""
        make = Listener if self._limits is None else partial(LimitedListener, self._limits)
        self.listeners = [
            make(self._reactor, sock, self._accepted, self.sums, shared=shared)
            for sock in listening
        ]
        if tls is not None:
            self._tls = dict(zip(self.listeners, tls.listen, strict=True))

    def open_reception(
        self,
        settings: RouteSettings,
        destinations: Mapping[str, "Frontend"],
        tally: Tally,
        turns: HandshakeTurns,
    ) -> None:
        """Decide about clients before they have sessions, if the route has anything to decide.

        `destinations` are the frontends of all routes, by name: `sni` leads to others.
        """
        if needs_reception(settings):
            refusals = Refusals(self.sums, self.counters.route.refused.add)
            self.reception = Reception(
                self._reactor,
                settings,
                self,
                destinations,
                refusals,
                admission(settings, tally),
                None if self._limits is None else self._limits.rate,
                turns,
            )

    @property
    def route(self) -> Route:
        """The route that its clients take."""
        return self._route

    @property
    def is_closed(self) -> bool:
        """Whether it accepts no more, for good."""
        return self._closed

    @property
    def is_idle(self) -> bool:
        """Whether no connection is left."""
        return not (self._taken or self.sessions or self.mirroring)

    @property
    def entering(self) -> Iterable[Entering]:
        """Clients of whom it is not known yet whether they are let in."""
        return () if self.reception is None else self.reception.entering

    def hold(self, *, held: bool) -> None:
        """Accept, or hold clients in the backlog."""
        self._holding = held
        for listener in self.listeners:
            listener.update(held=held)

    def close(self, *, take_backlog: bool) -> None:
        """Accept no more, after what waits in the backlog if that is wanted."""
        listeners, self.listeners = self.listeners, []
        for listener in listeners:
            room = self._max_connections - self._taken
            if self._places is not None:
                room = min(room, self._places.left)
            listener.close(take_at_most=room if take_backlog else 0)
        self._closed = True

    def _accepted(self, listener: Listener, sock: Socket, address: object) -> None:
        client = Client(address, listener.name)
        if self.reception is not None:
            self.reception.receive(client, sock, self._tls.get(listener))
        else:
            self.take_place()
            self.start_session(client, sock, None)

    def take_place(self) -> None:
        """A client has come in by one of the listeners."""
        self._taken += 1
        if self._places is not None:
            self._places.take()
        if self._taken >= self._max_connections:
            self.hold(held=True)

    def leave_place(self) -> None:
        """A client that came in here has gone; accept again if it was one too many."""
        self._taken -= 1
        if self._places is not None:
            self._places.leave()
            for listener in self.listeners:
                listener.end_pause()
        if self._holding:
            self.hold(held=self._taken >= self._max_connections)
        self._tell_if_idle()

    def start_session(self, client: Client, sock: Socket, received: ReceivedClient | None) -> None:
        """Serve a client; one that came in by another route has its place there."""
        session = Session(self._reactor, self, self._route, client, sock)
        if received is not None:
            self._received[session] = received
        self.sessions.add(session)
        self.counters.route.accepted()
        if (self._route.vital or self._route.attached) and not can_be_recorded(
            self._route, client.name, client.server_name
        ):
            session.not_connected(reasons.MIRROR_FAILING)
        else:
            session.start()

    def connect_failed(self, backend: str, why: str) -> None:
        """Count the attempt, unless it was this machine that failed."""
        if why not in reasons.OWN:
            self.counters.route.backend(backend).failed.add(why)

    def connected(self, session: Session, connect_s: float) -> None:
        """Count the connection to the backend."""
        self.counters.route.backend(session.backend_name).connected(connect_s)

    def mirrored(self, session: Session) -> None:
        """Count the streams."""
        self.counters.mirrored(session)

    def sockets_closed(self, session: Session) -> None:
        """Give its place to another client; copies may still be on their way to mirrors."""
        self.counters.sockets_closed(session)
        self.sessions.discard(session)
        self.mirroring.add(session)
        received = self._received.pop(session, None)
        if received is None:
            self.leave_place()
        else:
            received.end()

    def forget(self, session: Session) -> None:
        """Keep nothing of a session of which nothing is left."""
        self.counters.forget(session)
        self.mirroring.discard(session)
        self._tell_if_idle()

    def _tell_if_idle(self) -> None:
        if self._closed and self.is_idle:
            self._tell_idle()
