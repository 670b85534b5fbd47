"""A connection of its own for each stream to a mirror that is a peer; answers are discarded."""

import errno
import select
import socket
from collections.abc import Callable, Iterator
from typing import Protocol

from spliceproxy import reasons
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.dial import Dial, DialOwner
from spliceproxy.loop.farewell import ResetAfterDelivery, close_cleanly, close_with_reset
from spliceproxy.loop.reactor import Reactor
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.write_queue import write_queue

CONNECT_TIMEOUT_S = 5.0
_DISCARD_BYTES = 1 << 16
scratch = bytearray(_DISCARD_BYTES)
"""Where bytes go that nobody looks at."""


class PeerDial(Protocol):
    """Connects to a mirror; its owner is told as that of a `Dial`."""

    def start(self) -> None:
        """Begin."""

    def cancel(self) -> None:
        """Give up, and close what is under way."""


MakeDial = Callable[[DialOwner], PeerDial]


def plain_dial(
    reactor: Reactor, targets: Callable[[], Iterator[SocketAddress]], owner: DialOwner
) -> Dial:
    """Return what connects, and no more."""
    return Dial(reactor, owner, targets(), CONNECT_TIMEOUT_S, 0.0)


def name_dial_failure(why: str) -> str:
    """Name a failed dial for whom it was meant: a dial calls everybody a backend."""
    return why.replace("backend_", "mirror_")


class StreamOutlet(Outlet):
    """Connects without anybody waiting; then writes as fast as the mirror reads.

    A clean end is passed on as an end of stream, and the mirror may say goodbye in its own time;
    an unclean one as a reset, behind all that was delivered.
    """

    bounds_opening = True

    def __init__(self, branch: Branch, reactor: Reactor, dial: MakeDial) -> None:
        self._branch = branch
        self._reactor = reactor
        self._sock: Socket | None = None
        self._events = 0
        self._ended = False  # the mirror has sent its last byte
        self._finishing = False
        self._clean = False
        self._farewell: ResetAfterDelivery | None = None
        self._dial: PeerDial | None = dial(self)
        self._closed = branch.closed

    def start(self) -> None:
        """Begin to connect."""
        if self._dial is not None:
            self._dial.start()

    def connected(self, sock: Socket, target: SocketAddress) -> None:
        """Deliver what has queued meanwhile."""
        self._dial = None
        self._sock = sock
        self._events = select.EPOLLIN
        self._reactor.register(sock.fileno(), self._events, self)
        self._branch.opened()
        self.flush()

    def attempt_failed(self, target: SocketAddress, why: str) -> None:
        """Nothing to note: the last attempt's reason is the branch's."""

    def dial_failed(self, why: str) -> None:
        """No address of the mirror answers."""
        self._dial = None
        self._branch.fail(name_dial_failure(why))

    def on_crash(self, error: Exception) -> None:
        """Give the branch up."""
        self._branch.fail(f"internal_error: {error}")

    dial_crashed = on_crash

    def flush(self) -> None:
        """Write what the mirror takes now."""
        if self._sock is None or self._events & select.EPOLLOUT:
            return  # an event will tell when there is room
        self._write()

    def finish(self, *, clean: bool) -> None:
        """End when the queue is empty."""
        self._finishing = True
        self._clean = clean
        if self._sock is not None:
            self._end_if_empty()

    def cut(self) -> None:
        """Reset the connection."""
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        if self._farewell is not None:
            self._farewell.cut()
            return
        if self._sock is not None:
            sock, self._sock = self._sock, None
            self._reactor.unregister(sock.fileno())
            if self._has_all(sock):  # and does not say goodbye
                close_cleanly(self._reactor, sock)
            else:
                close_with_reset(self._reactor, sock)
        self._closed()

    def _has_all(self, sock: Socket) -> bool:
        """Whether all of the stream, and its orderly end, is on its way."""
        return self._clean and not self._branch.queue

    def on_events(self, events: int) -> None:
        """Discard answers, write on, notice the end."""
        if events & select.EPOLLOUT:
            self._write()
        if self._sock is not None and events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            self._read(self._sock, hung_up=bool(events & select.EPOLLHUP))

    def _read(self, sock: Socket, *, hung_up: bool) -> None:
        """Drop what the mirror says inside the kernel (MSG_TRUNC, tcp(7)); see it end or fail."""
        try:
            count = sock.recv_into(scratch, _DISCARD_BYTES, socket.MSG_TRUNC)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        if not count:
            self._read_to_end(hung_up=hung_up)

    def _read_to_end(self, *, hung_up: bool) -> None:
        """Go on without answers, if the mirror takes more."""
        self._ended = True
        if self._finishing and not self._branch.queue:
            self._end_if_empty()
        elif hung_up:
            self._branch.fail("mirror_closed")  # a unix peer that takes no more either
        else:
            self._watch()

    def _write(self) -> None:
        if self._sock is None:
            return
        try:
            write_queue(self._branch, self._sock.fileno())
        except OSError as error:
            self._fail(error)
            return
        if self._sock is not None:
            self._watch()
            self._end_if_empty()

    def _fail(self, error: OSError) -> None:
        self._branch.fail(reasons.name_error("mirror", error.errno or 0))

    def _end_if_empty(self) -> None:
        if not self._finishing or self._branch.queue or self._sock is None:
            return
        if not self._clean or self._ended:
            self._close()
            return
        try:
            self._sock.shutdown(socket.SHUT_WR)  # again and again does no harm
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
            self._fail(error)
            return
        self._branch.recorded()

    def _watch(self) -> None:
        """Watch for answers until they end, and for room while something is queued."""
        if self._sock is None:
            return
        events = 0 if self._ended else select.EPOLLIN
        if self._branch.queue:
            events |= select.EPOLLOUT
        if events != self._events:
            self._events = events
            self._reactor.modify(self._sock.fileno(), events)

    def _close(self) -> None:
        assert self._sock is not None  # noqa: S101
        sock, self._sock = self._sock, None
        self._reactor.unregister(sock.fileno())
        if self._clean:
            close_cleanly(self._reactor, sock)
            self._closed()
        else:
            self._farewell = ResetAfterDelivery(self._reactor, sock, self._closed)
            self._farewell.start()
