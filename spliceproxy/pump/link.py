"""A connection being relayed: two endpoints, a flow each way, and how they end together."""

from typing import Protocol

from spliceproxy import reasons
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.reactor import Reactor
from spliceproxy.pump.deadlines import Lifetime, LinkTimeouts
from spliceproxy.pump.endpoint import Endpoint, EndpointMaker
from spliceproxy.pump.flow import Flow, FlowMaker


class LinkOwner(Protocol):
    """Who opened the two sockets, and will close them."""

    def link_ended(self, link: "Link") -> None:
        """Close the sockets, which are in no epoll set any more; `Link.reason` says how."""

    def link_crashed(self, error: Exception) -> None:
        """Report what went wrong; `link_ended` follows."""

    def splice_refused(self, cause: OSError) -> None:
        """Report that a flow of this connection copies from now on."""


class Link:
    """Relays until both directions have ended, or one of the peers fails.

    A peer's failure ends the link only when all that the peer had sent before has been handed
    on: a reset behind data is forwarded as data, then a reset.
    """

    __slots__ = (
        "_idle_timeout_s",
        "_idle_timer",
        "_lifetime",
        "_owner",
        "_silence",
        "_timeouts",
        "backend",
        "client",
        "failed",
        "first_to_end",
        "last_active_s",
        "open",
        "reactor",
        "reason",
        "request",
        "response",
    )

    def __init__(
        self,
        reactor: Reactor,
        owner: LinkOwner,
        client: Socket,
        backend: Socket,
        make_request: FlowMaker,
        make_response: FlowMaker,
        timeouts: LinkTimeouts,
        make_client: EndpointMaker = Endpoint,
        make_backend: EndpointMaker = Endpoint,
    ) -> None:
        self.reactor = reactor
        self._owner = owner
        self.client = make_client(self, client, "client")
        self.backend = make_backend(self, backend, "backend")
        self.request = make_request(self, self.client, self.backend)
        self.response = make_response(self, self.backend, self.client)
        self.client.inbound = self.backend.outbound = self.request
        self.backend.inbound = self.client.outbound = self.response
        self.reason = reasons.CLOSED
        self.failed: Endpoint | None = None
        """The peer that ended the link by failing, if one did."""
        self.first_to_end = ""
        """The name of the peer whose stream ended first, once one has."""
        self.open = True
        self.last_active_s = reactor.now_s
        self._timeouts = timeouts
        self._idle_timeout_s = timeouts.idle_s
        self._silence = reasons.IDLE_TIMEOUT
        self._idle_timer = reactor.timers.after(timeouts.idle_s, self)
        self._lifetime = (
            None if timeouts.lifetime_s is None else Lifetime(self, timeouts.lifetime_s)
        )

    def start(self, *, client_registered: bool) -> None:
        """Begin to relay."""
        self.client.watch(already_registered=client_registered)
        self.backend.watch(already_registered=False)

    def is_last(self, flow: Flow) -> bool:
        """Whether the other direction has ended already."""
        return flow.destination.inbound.done

    def half_closed(self) -> None:
        """A direction has ended; from now on the other one's silence counts in its own way."""
        if self._timeouts.half_closed_s is not None:
            self._idle_timeout_s = self._timeouts.half_closed_s
            self._silence = reasons.HALF_CLOSED_TIMEOUT
            self._idle_timer.cancel()
            self._idle_timer = self.reactor.timers.after(self._idle_timeout_s, self)

    def splice_refused(self, cause: OSError) -> None:
        """Tell the owner that a flow copies from now on."""
        self._owner.splice_refused(cause)

    def replace(self, flow: Flow, successor: Flow) -> None:
        """Go on with another flow in the same direction, and with this one's account."""
        flow.done = True  # whoever is still at work on it is to leave the rest to the other
        successor.take_over(flow)
        flow.source.inbound = flow.destination.outbound = successor
        if flow is self.request:
            self.request = successor
        else:
            self.response = successor

    def destination_failed(self, flow: Flow, error_number: int) -> None:
        """A peer takes no more. What it had sent before is still to be handed on."""
        self._set_failed(flow.destination, error_number)
        if self.is_last(flow):
            self.end()
        else:
            flow.source.update()
            flow.destination.update()

    def endpoint_failed(self, endpoint: Endpoint, error_number: int) -> None:
        """A peer is gone, and nothing that it sent is left to hand on."""
        self._set_failed(endpoint, error_number)
        self.end()

    def close(self, why: str) -> None:
        """End at once; bytes still pending are lost, and counted."""
        if self.open:
            self.reason = why
            self.failed = None
            self.end()

    def end(self) -> None:
        """Stop watching, count what is lost, and tell the owner; once."""
        if not self.open:
            return
        self.open = False
        self._idle_timer.cancel()
        if self._lifetime is not None:
            self._lifetime.cancel()
            self._lifetime = None
        self.client.leave()
        self.backend.leave()
        for flow in (self.request, self.response):
            if not flow.done or flow.paused:
                flow.abandon()
        self._owner.link_ended(self)
        self._untie()

    def on_deadline(self) -> None:
        """End if both directions have been silent for long enough; else look again later."""
        if self.client.kept_waiting or self.backend.kept_waiting:
            self.last_active_s = self.reactor.now_s  # to be made to wait is not to be silent
        left_s = self.last_active_s + self._idle_timeout_s - self.reactor.now_s
        if left_s <= 0:
            self.close(self._silence)
        else:
            self._idle_timer = self.reactor.timers.after(left_s, self)

    def on_crash(self, error: Exception) -> None:
        """End after an exception that nobody foresaw."""
        if self.open:
            self._owner.link_crashed(error)
            self.close(reasons.INTERNAL_ERROR)

    def _set_failed(self, endpoint: Endpoint, error_number: int) -> None:
        if self.failed is None:  # the first failure is the cause of the others
            self.failed = endpoint
            self.reason = reasons.name_error(endpoint.name, error_number)

    def _untie(self) -> None:
        """Undo the cycles, so that the link is freed now and not by the garbage collector."""
        for endpoint in (self.client, self.backend):
            del endpoint.inbound, endpoint.outbound, endpoint.link
        del self.request.link, self.response.link, self._owner
