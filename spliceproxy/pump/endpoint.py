"""One of a link's two sockets, and what the reactor watches it for."""

import select
from collections.abc import Callable
from typing import TYPE_CHECKING

from spliceproxy.kernel.sockets import Socket, pending_error

if TYPE_CHECKING:
    from spliceproxy.pump.flow import Flow
    from spliceproxy.pump.link import Link

_IN = select.EPOLLIN
_READ = _IN | select.EPOLLRDHUP
_GONE = select.EPOLLERR | select.EPOLLHUP
_READABLE = _IN | _GONE


class Endpoint:
    """The source of one flow, `inbound`, and the destination of the other, `outbound`."""

    __slots__ = ("_events", "_watched", "fd", "inbound", "link", "name", "outbound", "sock")

    inbound: "Flow"
    outbound: "Flow"
    kept_waiting = False
    """Whether it is the proxy that holds up what this peer sends, and not the peer."""

    def __init__(self, link: "Link", sock: Socket, name: str) -> None:
        self.link = link
        self.sock = sock
        self.fd = sock.fileno()
        self.name = name
        self._events = 0
        self._watched = False

    def watch(self, *, already_registered: bool) -> None:
        """Start to read; the socket may be in the epoll set for another watcher until now."""
        watch = self.link.reactor.hand_over if already_registered else self.link.reactor.register
        watch(self.fd, _READ, self)
        self._watched, self._events = True, _READ

    def update(self) -> None:
        """Watch for what the two flows need now: input unless paused or ended, room if paused."""
        inbound = self.inbound
        reads = not (inbound.done or inbound.paused or inbound.held or self.kept_waiting)
        events = _READ if reads else 0
        if self.outbound.paused:
            events |= select.EPOLLOUT
        if not self._watched:
            if events:
                self.link.reactor.register(self.fd, events, self)
                self._watched = True
        elif events != self._events:
            self.link.reactor.modify(self.fd, events)
        self._events = events

    def unwatch(self) -> None:
        """Leave the epoll set."""
        if self._watched:
            self.link.reactor.unregister(self.fd)
            self._watched, self._events = False, 0

    def leave(self, *, closes: bool) -> None:
        """Leave the epoll set for good: the link is over, and its owner `closes` now or later."""
        if self._watched:
            leave = self.link.reactor.retire if closes else self.link.reactor.unregister
            leave(self.fd)
            self._watched, self._events = False, 0

    def on_events(self, events: int) -> None:
        """Act on the socket's events: first make room, then read."""
        if events == _IN and self._events & _IN:
            self.inbound.pump()
            return
        if events == _READ and self._events & _IN:
            self._read_to_end()
            return
        if self.outbound.paused:
            self.outbound.drain()
        if not self._watched or not events & _READABLE:
            return
        if not self._events & _IN:
            if events & _GONE and not self.outbound.paused:
                self._look_at_unmasked(events)
            return
        if self.outbound.done:  # then both have ended, as a rule
            self.inbound.meet_end()
        if self._events & _IN:
            self.inbound.pump()

    def _read_to_end(self) -> None:
        """Move one event's worth, and look for the end of the stream behind it at once.

        The bytes are handed on with the word that more is to follow (MSG_MORE), so that the end
        travels in their last segment: one packet less, and one wake-up of the peer. It is safe
        only here, where what follows is known: shutdown(2) pushes what waits, and after anything
        else the next event, which the end keeps asserted, comes at once.
        """
        self.inbound.end_is_near = True
        self.inbound.pump()
        if self._events & _IN:
            self.inbound.meet_end()

    def _look_at_unmasked(self, events: int) -> None:
        """Deal with an error or a hang-up that came although the socket is not being read.

        Neither can be masked, and both would be reported for ever (epoll_ctl(2)).
        """
        if self.inbound.done and events & select.EPOLLERR:
            self.link.endpoint_failed(self, pending_error(self.sock))
        else:
            # The end is seen, in its place in the stream, when reading goes on. Or a unix peer has
            # closed for good: nothing is pending for it, and the next write will tell.
            self.unwatch()

    def on_crash(self, error: Exception) -> None:
        """End the link: a callback failed."""
        self.link.on_crash(error)


EndpointMaker = Callable[["Link", Socket, str], Endpoint]
