"""The story of one connection: accepted, dialled, relayed, closed, told in one log line."""

import select
import socket
import time
from typing import Protocol

import structlog

from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.proxy.route import Route
from spliceproxy.pump import reason
from spliceproxy.pump.farewell import ResetAfterDelivery, close_cleanly, close_with_reset
from spliceproxy.pump.link import Link
from spliceproxy.pump.reactor import Reactor
from spliceproxy.upstream.backends import Target
from spliceproxy.upstream.dial import Dial


class SessionOwner(Protocol):
    """Who counts the sessions."""

    def session_ended(self, session: "Session") -> None:
        """Forget the session: its sockets are closed."""

    def connection_ended(self, record: ConnectionRecord) -> None:
        """Tell the log; the sockets may live a little longer until all is delivered."""


class Session:
    """Owns the two sockets of a connection, and every step of it."""

    __slots__ = (
        "_accepted_s",
        "_backend",
        "_client",
        "_client_watched",
        "_dial",
        "_farewell",
        "_link",
        "_owner",
        "_reactor",
        "_record",
        "_route",
    )

    def __init__(
        self,
        reactor: Reactor,
        owner: SessionOwner,
        route: Route,
        client: socket.socket,
        record: ConnectionRecord,
    ) -> None:
        self._reactor = reactor
        self._owner = owner
        self._route = route
        self._client = client
        self._backend: socket.socket | None = None
        self._record = record
        self._client_watched = False
        self._link: Link | None = None
        self._farewell: ResetAfterDelivery | None = None
        self._accepted_s = time.monotonic()
        self._dial: Dial | None = Dial(
            reactor,
            self,
            route.backends.targets(),
            route.connect_timeout_s,
            route.tcp_user_timeout_s,
        )

    def start(self) -> None:
        """Connect to a backend."""
        try:
            if self._dial is not None:
                self._dial.start()
            if self._dial is not None:
                # It takes a while. Watched for nothing, the client still reports a reset.
                self._reactor.register(self._client.fileno(), 0, self)
                self._client_watched = True
        except Exception as error:
            self.on_crash(error)

    def connected(self, sock: socket.socket, target: Target) -> None:
        """Relay."""
        self._dial = None
        self._backend = sock
        self._record.backend = target.name
        self._record.connect_s = time.monotonic() - self._accepted_s
        self._link = Link(
            self._reactor,
            self,
            self._client,
            sock,
            self._route.make_buffer,
            self._route.idle_timeout_s,
        )
        watched, self._client_watched = self._client_watched, False
        self._link.start(client_registered=watched)

    def attempt_failed(self, target: Target, why: str) -> None:
        """Tell that a backend did not answer."""
        structlog.get_logger().warning(
            "connect_failed", backend=target.name, client=self._record.client, reason=why
        )

    def dial_failed(self, why: str) -> None:
        """Turn the client away: no backend answers."""
        self._dial = None
        self._end_without_link(why)

    def dial_crashed(self, error: Exception) -> None:
        """Turn the client away."""
        self._dial = None
        self._report(error)
        self._end_without_link(reason.INTERNAL_ERROR)

    def on_events(self, events: int) -> None:
        """The client failed or hung up while the dial is under way."""
        if events & select.EPOLLERR:
            self.close(reason.CLIENT_LEFT)
        else:
            # A unix client that has sent all it has and closed; its bytes are still to be read.
            self._reactor.unregister(self._client.fileno())
            self._client_watched = False

    def on_crash(self, error: Exception) -> None:
        """Turn the client away after an exception that nobody foresaw."""
        self._report(error)
        self.close(reason.INTERNAL_ERROR)

    def close(self, why: str) -> None:
        """End at once, with a reset on both sides."""
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        if self._farewell is not None:
            self._farewell.cut()
        elif self._link is not None:
            self._link.close(why)
        else:
            self._end_without_link(why)

    def splice_refused(self, cause: OSError) -> None:
        """Tell that this connection copies from now on."""
        structlog.get_logger().warning(
            "splice_refused", client=self._record.client, error=str(cause)
        )

    def link_crashed(self, link: Link, error: Exception) -> None:
        """Tell what went wrong."""
        self._report(error)

    def link_ended(self, link: Link) -> None:
        """Close both sockets in the way that tells the peers what happened."""
        self._tell(link.reason)
        client, backend = link.client.sock, link.backend.sock
        if link.reason == reason.CLOSED:
            close_cleanly(self._reactor, client)
            close_cleanly(self._reactor, backend)
            self._owner.session_ended(self)
        elif link.failed is None:
            close_with_reset(self._reactor, client)
            close_with_reset(self._reactor, backend)
            self._owner.session_ended(self)
        else:
            close_with_reset(self._reactor, link.failed.sock)
            survivor = backend if link.failed is link.client else client
            self._farewell = ResetAfterDelivery(self._reactor, survivor, self._gone)
            self._farewell.start()

    def _gone(self) -> None:
        self._owner.session_ended(self)

    def _end_without_link(self, why: str) -> None:
        if self._client_watched:
            self._reactor.unregister(self._client.fileno())
            self._client_watched = False
        for sock in (self._client, self._backend):
            if sock is not None:
                close_with_reset(self._reactor, sock)
        self._tell(why)
        self._owner.session_ended(self)

    def _tell(self, why: str) -> None:
        record = self._record
        record.reason = why
        record.duration_s = time.monotonic() - self._accepted_s
        if self._link is not None:
            record.count(self._link.request, self._link.response)
        self._owner.connection_ended(record)

    def _report(self, error: Exception) -> None:
        structlog.get_logger().error("internal_error", client=self._record.client, exc_info=error)
