"""The story of one connection: accepted, dialled, relayed, closed, told in one log line."""

import select
import time
from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from spliceproxy.kernel.addresses import SocketAddress, name_peer
from spliceproxy.kernel.sockets import Socket
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.observe.tally import Traffic, moved_so_far
from spliceproxy.proxy.route import Route
from spliceproxy.pump import reason
from spliceproxy.pump.dial import Dial
from spliceproxy.pump.farewell import ResetAfterDelivery, close_cleanly, close_with_reset
from spliceproxy.pump.link import Link
from spliceproxy.pump.reactor import Reactor
from spliceproxy.pump.tapped_flow import release
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.mirrors import Mirror, choose
from spliceproxy.sinks.tapped import TappedConnection


class SessionOwner(Protocol):
    """Who counts the sessions."""

    def connect_failed(self, backend: str, why: str) -> None:
        """A backend did not answer."""

    def session_connected(self, session: "Session", connect_s: float) -> None:
        """A backend has answered."""

    def session_mirrored(self, session: "Session") -> None:
        """Copies of the traffic go to mirrors."""

    def session_ended(self, session: "Session", record: ConnectionRecord) -> None:
        """The sockets are closed. Copies may still be on their way to mirrors."""

    def session_over(self, session: "Session") -> None:
        """Forget the session: nothing of it is left."""

    def connection_ended(self, record: ConnectionRecord) -> None:
        """Tell the log, if it wants to hear; the mirrors' accounts are closed."""


class Session:
    """Owns the two sockets of a connection, and every step of it."""

    __slots__ = (
        "_accepted_s",
        "_address",
        "_backend",
        "_backend_name",
        "_client",
        "_client_watched",
        "_connect_s",
        "_dial",
        "_farewell",
        "_link",
        "_listener_name",
        "_owner",
        "_reactor",
        "_record",
        "_route",
        "_tapped",
    )

    def __init__(
        self,
        reactor: Reactor,
        owner: SessionOwner,
        route: Route,
        client: Socket,
        address: object,
        listener_name: str,
    ) -> None:
        self._reactor = reactor
        self._owner = owner
        self._route = route
        self._client: Socket | None = client
        self._address = address
        self._listener_name = listener_name
        self._accepted_s = time.monotonic()
        self._client_watched = False
        self._dial: Dial | None = None
        self._backend: Socket | None = None
        self._backend_name = ""
        self._connect_s: float | None = None
        self._link: Link | None = None
        self._farewell: ResetAfterDelivery | None = None
        self._tapped: TappedConnection | None = None
        self._record: ConnectionRecord | None = None

    @property
    def backend_name(self) -> str:
        """Whom the client is connected to; empty before that."""
        return self._backend_name

    @property
    def last_active_s(self) -> float:
        """When bytes were moved last, or when the client came (`time.monotonic`)."""
        return self._accepted_s if self._link is None else self._link.last_active_s

    @property
    def branches(self) -> Sequence[tuple[Mirror, Branch]]:
        """The streams that mirrors get, each with its mirror."""
        return () if self._tapped is None else self._tapped.branches

    def traffic(self) -> Traffic | None:
        """Return what has been moved so far; None when nothing can be moving."""
        link = self._link
        return None if link is None else moved_so_far(link.request, link.response)

    def start(self) -> None:
        """Connect to a backend."""
        route = self._route
        self._dial = Dial(
            self._reactor,
            self,
            route.backends.targets(),
            route.connect_timeout_s,
            route.tcp_user_timeout_s,
        )
        try:
            self._dial.start()
            self._watch_client_while_dialling()
        except Exception as error:
            self.on_crash(error)

    def _watch_client_while_dialling(self) -> None:
        if self._dial is not None and self._client is not None:
            # Watched for nothing, the client still reports a reset.
            self._reactor.register(self._client.fileno(), 0, self)
            self._client_watched = True

    def connected(self, sock: Socket, target: SocketAddress) -> None:
        """Relay."""
        assert self._client is not None  # noqa: S101 - it is closed only after the dial
        self._dial, self._backend = None, sock
        self._backend_name = target.name
        self._connect_s = time.monotonic() - self._accepted_s
        self._owner.session_connected(self, self._connect_s)
        self._tap()
        tapped = self._tapped
        self._link = Link(
            self._reactor,
            self,
            self._client,
            sock,
            self._route.flow_with(tapped.request if tapped else None),
            self._route.flow_with(tapped.response if tapped else None),
            self._route.idle_timeout_s,
        )
        watched, self._client_watched = self._client_watched, False
        self._link.start(client_registered=watched)
        if tapped is not None:
            tapped.start()

    def _tap(self) -> None:
        route = self._route
        if route.tapping is not None:
            chosen = choose(route.mirrors, name_peer(self._address))
            if chosen:
                self._tapped = TappedConnection(route.tapping, self, chosen, self._listener_name)
                self._owner.session_mirrored(self)

    def mirror_has_room(self) -> None:
        """Read on what a mirror has held back."""
        if self._link is not None and self._tapped is not None:
            release(self._link.request, self._tapped.request)
            release(self._link.response, self._tapped.response)

    def mirror_failed(self, why: str) -> None:
        """Let no traffic pass without its record."""
        if self._link is not None:
            self._log().warning("mirror_failed", reason=why)
            self._link.close(reason.MIRROR_FAILED)

    def mirrors_ended(self) -> None:
        """Tell the connection's story, of which the mirrors were the last part."""
        if self._record is not None and self._tapped is not None:
            self._record.mirrors = self._tapped.report()
            self._owner.connection_ended(self._record)
        self._owner.session_over(self)

    def attempt_failed(self, target: SocketAddress, why: str) -> None:
        """Tell that a backend did not answer."""
        self._owner.connect_failed(target.name, why)
        self._log().warning("connect_failed", backend=target.name, reason=why)

    def dial_failed(self, why: str) -> None:
        """Turn the client away: no backend answers."""
        self._dial = None
        self._end_without_link(why)

    def on_events(self, events: int) -> None:
        """The client failed or hung up while the dial is under way."""
        if events & select.EPOLLERR:
            self.close(reason.CLIENT_LEFT)
        elif self._client is not None:
            # A unix client that has sent all it has and closed; its bytes are still to be read.
            self._reactor.unregister(self._client.fileno())
            self._client_watched = False

    def on_crash(self, error: Exception) -> None:
        """Turn the client away after an exception that nobody foresaw."""
        self._log().error("internal_error", exc_info=error)
        self.close(reason.INTERNAL_ERROR)

    dial_crashed = on_crash

    def close(self, why: str) -> None:
        """End at once, with a reset on both sides, and drop what is on its way to mirrors."""
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        if self._farewell is not None:
            self._farewell.cut()
        elif self._link is not None:
            self._link.close(why)
        else:
            self._end_without_link(why)
        if self._tapped is not None:
            self._tapped.cut()

    def splice_refused(self, cause: OSError) -> None:
        """Tell that a direction of this connection copies from now on."""
        self._log().warning("splice_refused", error=str(cause))

    def link_crashed(self, error: Exception) -> None:
        """Tell what went wrong."""
        self._log().error("internal_error", exc_info=error)

    def link_ended(self, link: Link) -> None:
        """Close both sockets in the way that tells the peers what happened."""
        self._link = None
        self._note(link.reason, link)
        client, backend = link.client.sock, link.backend.sock
        self._client = self._backend = None
        if link.reason == reason.CLOSED:
            close_cleanly(self._reactor, client)
            close_cleanly(self._reactor, backend)
            self._gone()
        elif link.failed is None:
            close_with_reset(self._reactor, client)
            close_with_reset(self._reactor, backend)
            self._gone()
        else:
            close_with_reset(self._reactor, link.failed.sock)
            survivor = backend if link.failed is link.client else client
            self._farewell = ResetAfterDelivery(self._reactor, survivor, self._gone)
            self._farewell.start()

    def _gone(self) -> None:
        """Both sockets are closed; what is left are mirrors."""
        assert self._record is not None  # noqa: S101 - it is noted before
        self._farewell = None
        self._owner.session_ended(self, self._record)
        if self._tapped is not None:
            self._tapped.end(self._record.line())
        else:
            self._owner.connection_ended(self._record)
            self._owner.session_over(self)

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
        self._gone()

    def _note(self, why: str, link: Link | None) -> None:
        """Keep what is to be told of the connection."""
        record = self._record = ConnectionRecord(
            route=self._route.name,
            listener=self._listener_name,
            client=name_peer(self._address),
            backend=self._backend_name,
            connect_s=self._connect_s,
            duration_s=time.monotonic() - self._accepted_s,
            reason=why,
        )
        if link is not None:
            record.count(link.request, link.response)

    def _log(self) -> Any:
        return structlog.get_logger(route=self._route.name, client=name_peer(self._address))
