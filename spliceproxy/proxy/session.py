"""The story of one connection, from accept to its log line.

Its life, in order:

- accepted: `Frontend.start_session` makes it, after `Reception` on routes that decide about clients
- queued, dialled: `start`; an `Attempt` waits for room, and connects to a backend
- relayed: `connected` gives both sockets to a `Link`, and the mirrors their taps
- link ended: `link_ended` notes why; a reset that must destroy nothing takes a while (`part`)
- sockets closed: `Frontend.sockets_closed` counts it and gives its place to another client;
  `BackendPool.give_back` gives the room at the backend to one who waits
- mirrors settled: what was copied is delivered, or counted as lost (`mirrors_settled`)
- told: the log gets its line (`Frontend.tell`)
- forgotten: nothing is left of it, and a drained worker may end (`Frontend.forget`)

One that gets no backend goes from the dial to its closed sockets. Without mirrors the last four
steps are one call.
"""

import select
from collections.abc import Callable
from typing import TYPE_CHECKING

from spliceproxy import reasons
from spliceproxy.formats.proxy_protocol.header import ProxiedClient
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.kernel.splice_refusals import STARVED_REMEDY, SpliceStarvedError
from spliceproxy.loop.farewell import ResetAfterDelivery, close_with_reset
from spliceproxy.loop.reactor import Reactor
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.observe.tally import Traffic, moved_so_far
from spliceproxy.observe.termination import Phase
from spliceproxy.proxy.client import Client
from spliceproxy.proxy.ending import reason_of
from spliceproxy.proxy.remedies import REMEDY_OF_VITAL_MIRROR, remedy_of_connect, remedy_of_splice
from spliceproxy.proxy.route import Route
from spliceproxy.proxy.session_mirrors import SessionMirrors
from spliceproxy.pump.link import Link
from spliceproxy.pump.parting import part
from spliceproxy.sinks.mirrors import Mirrors, choose
from spliceproxy.sinks.tapped_connection import TappedConnection
from spliceproxy.tls.parting import Goodbye, part_from_tls
from spliceproxy.tls.tls_socket import TlsSocket
from spliceproxy.upstream.attempt import Attempt
from spliceproxy.upstream.backend import Backend

if TYPE_CHECKING:
    from spliceproxy.proxy.attachments import AttachedMirror
    from spliceproxy.proxy.frontend import Frontend


Part = Callable[[Reactor, Link, Callable[[], None]], Goodbye | ResetAfterDelivery | None]
"""Closes both sockets of a link that has ended; see `pump.parting.part`."""


class Session:
    """Owns the two sockets of a connection, and every step of it."""

    __slots__ = (
        "_attempt",
        "_backend",
        "_client",
        "_client_watched",
        "_farewell",
        "_frontend",
        "_part",
        "_reactor",
        "_route",
        "backend",
        "client",
        "link",
        "mirrors",
        "record",
        "start_tls",
    )

    def __init__(
        self,
        reactor: Reactor,
        frontend: "Frontend",
        route: Route,
        client: Client,
        sock: Socket,
    ) -> None:
        self._reactor = reactor
        self._frontend = frontend
        self._route = route
        self.client = client
        self.start_tls = client.start_tls
        self.record = ConnectionRecord(route.name, *client.facts())
        self._client: Socket | None = sock
        self._client_watched = False
        self._attempt: Attempt | None = None
        self._backend: Socket | None = None
        self.backend: Backend | None = None
        """Whom it is connected to, until both sockets are closed."""
        self.link: Link | None = None
        """What relays, as long as something does."""
        self._part: Part = part
        self._farewell: Goodbye | ResetAfterDelivery | None = None
        self.mirrors: SessionMirrors | None = None
        """What it is copied to, or has been."""

    @property
    def number(self) -> str:
        """What operators call it by: the slot of the worker, and the client's number in it."""
        return f"{self._frontend.counters.slot}-{self.client.number}"

    @property
    def backend_name(self) -> str:
        """Whom the client is connected to; empty if it is not."""
        return "" if self.backend is None else self.backend.state.name

    @property
    def last_active_s(self) -> float:
        """When bytes were moved last, or when the client came (`time.monotonic`)."""
        return self.client.accepted_s if self.link is None else self.link.last_active_s

    def traffic(self) -> Traffic | None:
        """Return what has been moved so far; None when nothing can be moving."""
        link = self.link
        return None if link is None else moved_so_far(link.request, link.response)

    def start(self) -> None:
        """Connect to a backend."""
        self._attempt = Attempt(self._route.backends, self)
        try:
            self._attempt.start()
            self._watch_client_while_connecting()
        except Exception as error:
            self.on_crash(error)

    @property
    def client_ip(self) -> bytes:
        """The client's address as its 4 or 16 bytes; empty if it has none."""
        return self.client.ip

    def proxied_client(self) -> ProxiedClient:
        """Return what a backend may be told of the client."""
        assert self._client is not None  # noqa: S101 - it is closed only after the attempt
        return self.client.proxied(self._client)

    def _end_attempt(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            self.record.queue_s = attempt.queue_s
            if attempt.is_queued:
                self.record.phase = Phase.QUEUE

    def _watch_client_while_connecting(self) -> None:
        if self._attempt is not None and self._client is not None:
            # Watched for nothing, the client still reports a reset.
            self._reactor.register(self._client.fileno(), 0, self)
            self._client_watched = True

    def connected(self, sock: Socket, target: SocketAddress, backend: Backend) -> None:
        """Relay."""
        assert self._client is not None  # noqa: S101 - it is closed only after the attempt
        self._end_attempt()
        self._backend = sock
        self.backend = backend
        connect_s = self.client.connect_s()
        self.record.connected(target.name, backend.state.name, connect_s)
        self._frontend.connected(self, connect_s)
        tapped = None if self._route.tapping is None else self._tap(self._route.tapping)
        by_tls = isinstance(self._client, TlsSocket) or isinstance(sock, TlsSocket)
        self._part = part_from_tls if by_tls else part
        self.link = Link(
            self._reactor,
            self,
            self._client,
            sock,
            self._route.flow_with(tapped.tap("request") if tapped else None, by_tls=by_tls),
            self._route.flow_with(tapped.tap("response") if tapped else None, by_tls=by_tls),
            self._route.timeouts,
            self._route.client_makers.of(self._client),
            self._route.backend_makers.of(sock),
        )
        watched, self._client_watched = self._client_watched, False
        self.link.start(client_registered=watched)
        if tapped is not None and self.mirrors is not None:
            self.mirrors.start(tapped)
        for attached in self._route.attached:
            if attached.wants(self.client.name, self.client.server_name):
                self.attach(attached)

    def _tap(self, shared: Mirrors) -> TappedConnection | None:
        chosen = choose(self._route.mirrors, self.client.name, self.client.server_name)
        if not chosen:
            return None
        self.mirrors = SessionMirrors(self)
        tapped = self.mirrors.copy(shared, chosen)
        self._frontend.mirrored(self)
        return tapped

    def attach(self, attached: "AttachedMirror") -> bool:
        """Copy to another mirror from now on; False: there is nothing to copy any more."""
        if self.mirrors is None:
            self.mirrors = SessionMirrors(self)
        return self.mirrors.attach(attached)

    def mirror_failed(self, mirror: str, why: str) -> None:
        """Let no traffic pass without its record."""
        if self.link is not None:
            self._warn("mirror_failed", mirror=mirror, reason=why, remedy=REMEDY_OF_VITAL_MIRROR)
            self.link.close(reasons.MIRROR_FAILED)

    def mirrors_settled(self) -> None:
        """Tell the story, of which the mirrors were the last part, and be forgotten."""
        if self.mirrors is not None:
            self.record.mirrors = self.mirrors.report()
        self._frontend.tell(self.record)
        self._frontend.forget(self)

    def connect_failed(
        self, target: SocketAddress, backend: Backend, why: str, detail: str = ""
    ) -> None:
        """Tell that a backend did not answer."""
        self.record.attempts += 1
        self._frontend.connect_failed(backend.state.name, why)
        labels = {
            "backend": backend.state.name,
            "address": target.name,
            "reason": why,
            "remedy": remedy_of_connect(why),
        }
        self._warn("connect_failed", **labels, **({"detail": detail} if detail else {}))

    def not_connected(self, why: str) -> None:
        """Turn the client away: no backend can be had."""
        self._end_attempt()
        self._end_without_link(why)

    def on_events(self, events: int) -> None:
        """The client failed or hung up while the dial is under way."""
        if events & select.EPOLLERR:
            self.close(reasons.CLIENT_LEFT)
        elif self._client is not None:
            # A unix client that has sent all it has and closed; its bytes are still to be read.
            self._reactor.unregister(self._client.fileno())
            self._client_watched = False

    def on_crash(self, error: Exception) -> None:
        """Turn the client away after an exception that nobody foresaw."""
        self.link_crashed(error)
        self.close(reasons.INTERNAL_ERROR)

    def close(self, why: str) -> None:
        """End at once, with a reset on both sides, and drop what is on its way to mirrors."""
        if self._attempt is not None:
            self.record.attempts += self._attempt.is_dialling
            self._attempt.cancel()
            self._end_attempt()
        if self._farewell is not None:
            self._farewell.cut()
        elif self.link is not None:
            self.link.close(why)
        else:
            self._end_without_link(why)
        if self.mirrors is not None:
            self.mirrors.cut()

    def end_link(self, why: str) -> None:
        """End the relaying, if there is any, with a reset on both sides; mirrors get the rest."""
        if self.link is not None:
            self.link.close(why)

    def splice_refused(self, cause: OSError) -> None:
        """Tell that a direction of this connection copies from now on."""
        if not isinstance(cause, SpliceStarvedError):
            self._warn("splice_refused", error=str(cause), remedy=remedy_of_splice(cause))
        elif self._frontend.counters.route.starved():
            self._warn("splice_starved", remedy=STARVED_REMEDY)

    def link_crashed(self, error: Exception) -> None:
        """Tell what went wrong."""
        self._frontend.sums.crashed(error, last_client=self.client.name)

    def link_ended(self, link: Link) -> None:
        """Close both sockets in the way that tells the peers what happened."""
        self.link = None
        self._note(reason_of(link), link)
        self._client = self._backend = None
        self._farewell = self._part(self._reactor, link, self._sockets_closed)
        if self._farewell is None:
            self._sockets_closed()
        else:
            self._farewell.start()

    def _sockets_closed(self) -> None:
        """Take no place any more, here and at the backend; what is left are mirrors."""
        self._farewell = None
        self._frontend.sockets_closed(self)
        if self.backend is not None:
            self._route.backends.give_back(self.backend)
            self.backend = None
        if self.mirrors is not None:
            self.mirrors.end(self.record.line())
        else:
            self.mirrors_settled()

    def _end_without_link(self, why: str) -> None:
        if self._client is None:  # it has ended already
            return
        if self._client_watched:
            self._reactor.unregister(self._client.fileno())
            self._client_watched = False
        for sock in (self._client, self._backend):
            if sock is not None:
                close_with_reset(self._reactor, sock)
        self._client = self._backend = None
        self._note(why, None)
        self._sockets_closed()

    def _note(self, why: str, link: Link | None) -> None:
        """Keep what is to be told of the connection."""
        record = self.record
        record.duration_s = self.client.age_s()
        if link is None:
            record.end(why)
        else:
            record.end(why, link.first_to_end)
            record.count(link.request, link.response)

    def _warn(self, event: str, **labels: str) -> None:
        """Tell the log what may happen to any number of clients."""
        self._frontend.sums.warn(event, labels, last_client=self.client.name)
