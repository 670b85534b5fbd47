"""Connecting to whichever of several addresses answers first (RFC 8305, "happy eyeballs")."""

from collections import deque
from collections.abc import Iterable, Iterator

from spliceproxy import reasons
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.dial import Dial, DialOwner
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer

MOST_AT_ONCE = 4
"""Connects under way for one client; each has a descriptor."""

_ALMOST_S = 0.001


class Race:
    """Tries the next target beside one that takes its time, or in its place once it has failed.

    Its lanes are dials that share the targets. The first connection counts; one that began before
    it and has not answered yet is told of as a failed attempt (`reasons.OVERTAKEN`).
    """

    __slots__ = (
        "_connect_timeout_s",
        "_lanes",
        "_left",
        "_needs_keepalive",
        "_next_after_s",
        "_owner",
        "_reactor",
        "_source",
        "_tcp_user_timeout_s",
        "_timer",
        "_why",
    )

    def __init__(
        self,
        reactor: Reactor,
        owner: DialOwner,
        targets: Iterable[SocketAddress],
        connect_timeout_s: float,
        tcp_user_timeout_s: float,
        source: str | None = None,
        *,
        next_after_s: float,
        needs_keepalive: bool = True,
    ) -> None:
        """As for a `Dial`; the next target's turn comes after `next_after_s` without an answer."""
        self._reactor = reactor
        self._owner = owner
        self._left = deque(targets)
        self._connect_timeout_s = connect_timeout_s
        self._tcp_user_timeout_s = tcp_user_timeout_s
        self._source = source
        self._needs_keepalive = needs_keepalive
        self._next_after_s = next_after_s
        self._lanes: list[Dial] = []
        self._timer: Timer | None = None
        self._why = reasons.NO_BACKEND_ADDRESS

    def start(self) -> None:
        """Begin with the first target."""
        lane = Dial(
            self._reactor,
            self,
            self._take(),
            self._connect_timeout_s,
            self._tcp_user_timeout_s,
            self._source,
            needs_keepalive=self._needs_keepalive,
        )
        self._lanes.append(lane)
        lane.start()
        if self._lanes and self._left and len(self._lanes) < MOST_AT_ONCE:
            self._timer = self._reactor.timers.after(self._next_after_s, self)

    def _take(self) -> Iterator[SocketAddress]:
        while self._left:
            yield self._left.popleft()

    def on_deadline(self) -> None:
        """Open another lane, unless one has just gone on to another target."""
        self._timer = None
        newest_s = max(lane.started_s for lane in self._lanes)
        wait_s = newest_s + self._next_after_s - self._reactor.now_s
        if wait_s > _ALMOST_S:
            self._timer = self._reactor.timers.after(wait_s, self)
        elif self._left:
            self.start()

    def cancel(self) -> None:
        """Give up, and close what is under way.

        A connection that has come about unnoticed ends in a FIN: its backend has done no wrong.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            lane.cancel(cleanly=True)

    def connected(self, sock: Socket, target: SocketAddress) -> None:
        """Hand the first connection on, and tell whom it has overtaken."""
        lost = [lane for lane in self._lanes if lane.is_under_way]
        (winner,) = (lane for lane in self._lanes if not lane.is_under_way)
        self.cancel()
        try:
            for lane in lost:
                if lane.target is not None and lane.started_s < winner.started_s:
                    self._owner.attempt_failed(lane.target, reasons.OVERTAKEN)
        except BaseException:
            self._reactor.close_later(sock)
            raise
        self._owner.connected(sock, target)

    def attempt_failed(self, target: SocketAddress, why: str) -> None:
        """Pass on that an address did not answer."""
        if why in reasons.EXHAUSTED and len(self._lanes) > 1:
            self._left.appendleft(target)  # a lane that is under way may need it
        self._why = reasons.outweigh(self._why, why)
        self._owner.attempt_failed(target, why)

    def dial_failed(self, why: str) -> None:
        """Go on while another lane is under way: this one has no target left."""
        self._lanes = [lane for lane in self._lanes if lane.is_under_way]
        if not self._lanes:
            self.cancel()
            self._owner.dial_failed(self._why)

    def on_crash(self, error: Exception) -> None:
        """Give up after an exception that nobody foresaw."""
        self.cancel()
        self._owner.dial_crashed(error)

    dial_crashed = on_crash
