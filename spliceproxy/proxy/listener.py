"""Accepting connections from one listening socket."""

import errno
import select
import socket
from collections.abc import Callable

from spliceproxy import reasons
from spliceproxy.kernel import syscalls
from spliceproxy.kernel.addresses import name_listener
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.line_sums import LineSums
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer

_ACCEPT_BATCH = 16
_SHARED_ACCEPT_BATCH = 1
"""Connections accepted for one event; with several workers one, so that the others get theirs."""

_EVENTS = select.EPOLLIN | select.EPOLLEXCLUSIVE

_REMEDIES = {
    "EMFILE": "raise the file limit (ulimit -n), or lower --max-connections",
    "ENFILE": "raise the system's limit fs.file-max",
    "ENOBUFS": "the kernel is out of memory for sockets (net.ipv4.tcp_mem)",
    "ENOMEM": "the machine is out of memory",
}
_PAUSE_S = 0.1

# The connection, not the listener, has failed (accept(2), "Error handling").
_CONNECTION_FAILED = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.EPERM,  # a firewall's word
        errno.ENETDOWN,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
    }
)

Accepted = Callable[["Listener", Socket, object], None]


class Listener:
    """Accepts in batches; pauses when told to, and when descriptors or memory run out.

    A listener that does not accept leaves the epoll set, since a backlog that is not taken from
    would be reported for ever; meanwhile the kernel's backlog holds the clients. Between calls one
    of these rows is true:

    =========  ===========  ==========  ==========================================================
    `_held`    `_pause`     `_watched`  state
    =========  ===========  ==========  ==========================================================
    False      None         True        accepting
    True       None         False       held: whoever owns it wants no clients now
    False      a timer      False       paused: accept(2) failed, or a limit of the route's is
                                        reached; it tries again before long
    True       a timer      False       held and paused: the end of one leaves the other
    True       None         False       closed: the socket is closed, and `close` was the last call
    =========  ===========  ==========  ==========================================================

    `_exhausted` stands beside them: the log has heard of an exhaustion, and not yet of a client
    accepted since. It is set with a pause, and outlasts it.
    """

    def __init__(
        self,
        reactor: Reactor,
        sock: socket.socket,
        accepted: Accepted,
        sums: LineSums,
        *,
        shared: bool,
    ) -> None:
        self._reactor = reactor
        self._sock = sock
        self._fd = sock.fileno()
        self._family = int(sock.family)
        self._accepted = accepted
        self._sums = sums
        self._shared = shared
        self._watched = False
        self._held = True  # until `update` lets clients in
        self._pause: Timer | None = None
        self._exhausted = False
        self.name = name_listener(sock)

    def update(self, *, held: bool) -> None:
        """Accept, or hold clients in the backlog."""
        self._held = held
        wanted = not held and self._pause is None
        if wanted and not self._watched:
            # EPOLLEXCLUSIVE: one waiting worker is woken for a client, not all (epoll_ctl(2)).
            self._reactor.register(self._fd, _EVENTS, self)
        elif self._watched and not wanted:
            self._reactor.unregister(self._fd)
        self._watched = wanted

    def look_again(self) -> None:
        """Accept a batch, if there are clients, without having been woken for them."""
        if self._watched:
            try:
                self.on_events(select.EPOLLIN)
            except Exception as error:
                self.on_crash(error)

    def on_events(self, events: int) -> None:
        """Accept a batch."""
        for _ in range(_SHARED_ACCEPT_BATCH if self._shared else _ACCEPT_BATCH):
            if self._held or not self._accept_next():
                break
        if self._shared and self._watched:
            # The kernel wakes the first in the queue that is idle. Whoever has accepted goes to
            # its end, or one worker would get nearly all connections of a quiet time.
            self._reactor.unregister(self._fd)
            self._reactor.register(self._fd, _EVENTS, self)

    def accept_one(self) -> bool:
        """Accept a connection if there is one; False when there is no use in asking for more."""
        try:
            client, address = syscalls.accept(self._sock, self._family)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _CONNECTION_FAILED:
                return True
            if error.errno not in reasons.EXHAUSTION_ERRNOS:
                raise
            self._pause_for(error)
            return False
        if self._exhausted:
            self._exhausted = False
            self._sums.inform("accept_resumed", {"listener": self.name})
        self._accepted(self, client, address)
        return True

    _accept_next = accept_one
    """How the next one is accepted after an event, in a class whose instances ask before."""

    def _pause_for(self, error: OSError) -> None:
        if not self._exhausted:
            self._exhausted = True
            cause = errno.errorcode[error.errno or 0]
            labels = {"listener": self.name, "error": cause, "remedy": _REMEDIES[cause]}
            self._sums.warn("accept_paused", labels)
        self._wait(_PAUSE_S)

    def _wait(self, pause_s: float) -> None:
        if self._pause is None:
            self._pause = self._reactor.timers.after(pause_s, self)
        self.update(held=self._held)

    def on_deadline(self) -> None:
        """Try again after a pause."""
        self._pause = None
        self.update(held=self._held)

    def end_pause(self) -> None:
        """Try again at once: something has changed."""
        if self._pause is not None:
            self._pause.cancel()
            self.on_deadline()

    def on_crash(self, error: Exception) -> None:
        """Report what accept failed with, and try again a little later."""
        self._sums.crashed(error, "accept_failed", listener=self.name)
        self._wait(_PAUSE_S)

    def close(self, *, take_at_most: int) -> None:
        """Take connections that wait in the backlog, which would be reset, then stop for good."""
        try:
            for _ in range(take_at_most):
                if not self.accept_one():
                    break
        except Exception as error:
            self.on_crash(error)
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self.update(held=True)
        self._sock.close()
