"""A connection being relayed: two endpoints, a flow each way, and how they end together."""

import math
from typing import Protocol

from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.reactor import Reactor
from spliceproxy.pump.ending import Ending, LinkTimeouts
from spliceproxy.pump.endpoint import Endpoint, EndpointMaker
from spliceproxy.pump.flow import Flow, FlowMaker


class LinkOwner(Protocol):
    """Who opened the two sockets, and will close them."""

    def link_ended(self, link: "Link") -> None:
        """Close both sockets in this batch, as `Link.ending` says; a failed one's peer may wait."""

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
        "_silence",
        "_timeouts",
        "_timer",
        "_too_old_s",
        "backend",
        "client",
        "ending",
        "error_number",
        "failed",
        "first_to_end",
        "last_active_s",
        "open",
        "owner",
        "reactor",
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
        self.owner = owner
        self.client = make_client(self, client, "client")
        self.backend = make_backend(self, backend, "backend")
        self.request = make_request(self, self.client, self.backend)
        self.response = make_response(self, self.backend, self.client)
        self.client.inbound = self.backend.outbound = self.request
        self.backend.inbound = self.client.outbound = self.response
        self.ending: Ending | str = Ending.COMPLETE
        """How it ended, once it has; a word is that of whoever closed it."""
        self.failed: Endpoint | None = None
        """The peer that ended the link by failing, if one did."""
        self.error_number = 0
        """The errno that it failed with."""
        self.first_to_end = ""
        """The name of the peer whose stream ended first, once one has."""
        self.open = True
        self.last_active_s = reactor.now_s
        self._timeouts = timeouts
        self._idle_timeout_s = timeouts.idle_s
        self._silence = Ending.SILENT
        lifetime_s = math.inf if timeouts.lifetime_s is None else timeouts.lifetime_s
        self._too_old_s = reactor.now_s + lifetime_s
        self._timer = reactor.timers.after(min(timeouts.idle_s, lifetime_s), self)

    def start(self, *, client_registered: bool) -> None:
        """Begin to relay."""
        self.client.watch(already_registered=client_registered)
        self.backend.watch(already_registered=False)

    def half_closed(self) -> None:
        """A direction has ended; from now on the other one's silence counts in its own way."""
        if self._timeouts.half_closed_s is not None:
            self._idle_timeout_s = self._timeouts.half_closed_s
            self._silence = Ending.HALF_CLOSED_SILENT
            self._timer.cancel()
            left_s = min(self._idle_timeout_s, self._too_old_s - self.reactor.now_s)
            self._timer = self.reactor.timers.after(left_s, self)

    def replace(self, flow: Flow, successor: Flow) -> None:
        """Have the events of a direction go to another flow; see `Flow.hand_over`."""
        flow.source.inbound = flow.destination.outbound = successor
        if flow is self.request:
            self.request = successor
        else:
            self.response = successor

    def destination_failed(self, flow: Flow, error_number: int) -> None:
        """A peer takes no more. What it had sent before is still to be handed on."""
        self._set_failed(flow.destination, error_number)
        if flow.destination.inbound.done:
            self.end()
        else:
            flow.source.update()
            flow.destination.update()

    def endpoint_failed(self, endpoint: Endpoint, error_number: int) -> None:
        """A peer is gone, and nothing that it sent is left to hand on."""
        self._set_failed(endpoint, error_number)
        self.end()

    def close(self, ending: Ending | str) -> None:
        """End at once; bytes still pending are lost, and counted."""
        if self.open:
            self.ending = ending
            self.failed = None
            self.end()

    def end(self) -> None:
        """Stop watching, count what is lost, and tell the owner; once."""
        if not self.open:
            return
        self.open = False
        self._timer.cancel()
        for endpoint in (self.client, self.backend):
            endpoint.leave(closes=self.failed in (None, endpoint))
        for flow in (self.request, self.response):
            if not flow.done or flow.paused:
                flow.abandon()
        self.owner.link_ended(self)
        self._untie()

    def on_deadline(self) -> None:
        """End if it has been silent for too long, or is too old; else look again later."""
        if self.client.kept_waiting or self.backend.kept_waiting:
            self.last_active_s = self.reactor.now_s  # to be made to wait is not to be silent
        silent_s = self.last_active_s + self._idle_timeout_s
        left_s = min(silent_s, self._too_old_s) - self.reactor.now_s
        if left_s > 0:
            self._timer = self.reactor.timers.after(left_s, self)
        else:
            self.close(self._silence if silent_s < self._too_old_s else Ending.TOO_OLD)

    def on_crash(self, error: Exception) -> None:
        """End after an exception that nobody foresaw."""
        if self.open:
            self.owner.link_crashed(error)
            self.close(Ending.CRASHED)

    def _set_failed(self, endpoint: Endpoint, error_number: int) -> None:
        if self.failed is None:  # the first failure is the cause of the others
            self.failed = endpoint
            self.error_number = error_number
            self.ending = Ending.FAILED

    def _untie(self) -> None:
        """Undo the cycles, so that the link is freed now and not by the garbage collector."""
        for endpoint in (self.client, self.backend):
            del endpoint.inbound, endpoint.outbound, endpoint.link
        del self.request.link, self.response.link, self.owner
