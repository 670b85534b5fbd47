"""An endpoint that reads no faster than it may. One without a limit has no trace of it.

Before each read it asks how much may pass, and lets the flow take no more than that. Where
nothing may pass it stops watching for input, until a timer or its turn among the connections of
the route has come; what is written to it goes on all the while. So the limit holds for every kind
of flow, and an end or a reset still comes after every byte before it.
"""

import select
from typing import TYPE_CHECKING

from spliceproxy.kernel.sockets import Socket
from spliceproxy.pacing.shared_bandwidth import SharedBandwidth
from spliceproxy.policy.bandwidth import Bandwidth
from spliceproxy.pump.endpoint import Endpoint

if TYPE_CHECKING:
    from spliceproxy.loop.timers import Timer
    from spliceproxy.pump.flow import Flow
    from spliceproxy.pump.link import Link

_INPUT = select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP
_END = select.EPOLLRDHUP


class PacedEndpoint(Endpoint):
    """Has a bandwidth of its own, or a part of one that is shared, or both."""

    __slots__ = ("_own", "_set_aside_bytes", "_shared", "_timer", "kept_waiting")

    def __init__(
        self,
        own_bytes_s: int | None,
        shared: SharedBandwidth | None,
        link: "Link",
        sock: Socket,
        name: str,
    ) -> None:
        super().__init__(link, sock, name)
        now_s = link.reactor.now_s
        self._own = None if own_bytes_s is None else Bandwidth(own_bytes_s, now_s)
        self._shared = shared
        self._set_aside_bytes = 0  # of the shared bandwidth, for the next read
        self.kept_waiting = False
        self._timer: Timer | None = None

    def on_events(self, events: int) -> None:
        """Act on the socket's events, and account for what was read.

        The end of the stream is left to be met in its turn: what is read together with it is not
        all that is left, so it must not be handed on as if it were (MSG_MORE).
        """
        flow = self.inbound
        if events & _INPUT and self._events & select.EPOLLIN:
            self._ask(flow)
        before_bytes = flow.taken_bytes
        super().on_events(events & ~_END)
        read_bytes = (flow.successor or flow).taken_bytes - before_bytes
        if self._own is not None:
            self._own.spend(read_bytes)
        self._give_back(self._set_aside_bytes - read_bytes)

    def _ask(self, flow: "Flow") -> None:
        """Set how much the next fill may take; if that is nothing, wait."""
        most_bytes = flow.most_fill_bytes
        if self._own is not None:
            now_s = self.link.reactor.now_s
            most_bytes = min(most_bytes, self._own.available(now_s))
            if not most_bytes:
                self._wait_for(self._own.wait_s(now_s))
                return
        if self._shared is not None:
            if not self._set_aside_bytes:
                self._set_aside_bytes = self._shared.ask(self, most_bytes)
            most_bytes = min(most_bytes, self._set_aside_bytes)
            if not most_bytes:
                self._wait()
                return
        flow.fill_bytes = most_bytes

    def _wait_for(self, delay_s: float) -> None:
        self._timer = self.link.reactor.timers.after(delay_s, self)
        self._wait()

    def _wait(self) -> None:
        self.kept_waiting = True
        self.update()

    def on_deadline(self) -> None:
        """Read on."""
        self._timer = None
        self.go_on(0)

    def go_on(self, set_aside_bytes: int) -> None:
        """Read on: so much of the shared bandwidth is there for it."""
        self._set_aside_bytes = set_aside_bytes
        self.kept_waiting = False
        self.link.last_active_s = self.link.reactor.now_s
        self.update()

    def _give_back(self, count: int) -> None:
        if self._shared is not None:
            self._shared.give_back(count)
        self._set_aside_bytes = 0

    def leave(self, *, closes: bool) -> None:
        """Be called no more, and leave the line of those who wait."""
        super().leave(closes=closes)
        if self._timer is not None:
            self._timer.cancel()
        if self._shared is not None:
            self._shared.forget(self)
        self._give_back(self._set_aside_bytes)
