"""Connecting to the first backend that answers."""

import errno
import select
from collections.abc import Iterator
from typing import Protocol

from spliceproxy import reasons
from spliceproxy.kernel import syscalls
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket, bind_source, finish_cleanly, prepare_stream
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer

_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EALREADY})
_FULL_BACKLOG_RETRY_S = 0.010


class DialOwner(Protocol):
    """Who wants the connection."""

    def connected(self, sock: Socket, target: SocketAddress) -> None:
        """Take the connected socket, which is in no epoll set."""

    def attempt_failed(self, target: SocketAddress, why: str) -> None:
        """Take note of an address that did not answer; the next one is tried."""

    def dial_failed(self, why: str) -> None:
        """No address is left; ``why`` is the last one's, or what this machine itself lacked."""

    def dial_crashed(self, error: Exception) -> None:
        """Report what went wrong; the dial is cancelled."""


class Dial:
    """Tries one target after the other, each for at most the connect timeout."""

    __slots__ = (
        "_deadline_s",
        "_needs_keepalive",
        "_owner",
        "_reactor",
        "_registered",
        "_sock",
        "_source",
        "_targets",
        "_timeout_s",
        "_timer",
        "_user_timeout_s",
        "_why",
        "target",
    )

    def __init__(
        self,
        reactor: Reactor,
        owner: DialOwner,
        targets: Iterator[SocketAddress],
        connect_timeout_s: float,
        tcp_user_timeout_s: float,
        source: str | None = None,
        *,
        needs_keepalive: bool = True,
    ) -> None:
        """`source` is the IP address to connect from; targets are of its family then.

        Connections that end before long when they are silent need no keepalive.
        """
        self._reactor = reactor
        self._owner = owner
        self._targets = targets
        self._timeout_s = connect_timeout_s
        self._user_timeout_s = tcp_user_timeout_s
        self._source = source
        self._needs_keepalive = needs_keepalive
        self._sock: Socket | None = None
        self.target: SocketAddress | None = None
        """Whom it connects to, or did last."""
        self._timer: Timer | None = None
        self._registered = False
        self._deadline_s = 0.0
        self._why = reasons.NO_BACKEND_ADDRESS

    def start(self) -> None:
        """Try targets until one connects, or is under way."""
        for target in self._targets:
            self.target = target
            try:
                self._sock = self._open(target.family)
            except OSError as error:
                self._attempt_failed(target, reasons.name_socket_error(error.errno or 0))
                if error.errno in reasons.EXHAUSTION_ERRNOS:
                    break  # no other address would fare better
                continue
            self._deadline_s = self._reactor.now_s + self._timeout_s
            if self._advance():
                return
        self._owner.dial_failed(self._why)

    def _open(self, family: int) -> Socket:
        sock = syscalls.open_socket(family)
        try:
            prepare_stream(sock, self._user_timeout_s, needs_keepalive=self._needs_keepalive)
            if self._source is not None:
                bind_source(sock, self._source)
        except BaseException:
            sock.close()
            raise
        return sock

    @property
    def is_under_way(self) -> bool:
        """Whether a connect is waited for."""
        return self._sock is not None

    @property
    def started_s(self) -> float:
        """When the connect to the target began (`Reactor.now_s`)."""
        return self._deadline_s - self._timeout_s

    def cancel(self, *, cleanly: bool = False) -> None:
        """Give up, and close what is under way: cleanly, in a FIN if it is connected by now."""
        self._stop_waiting()
        if self._sock is not None:
            if cleanly:
                finish_cleanly(self._sock)
            self._reactor.close_later(self._sock)
            self._sock = None

    def _advance(self) -> bool:
        """Look how the connect stands; False when it has failed.

        Asking connect(2) again tells success and failure alike, and on a fast network the second
        call right after the first already says yes: no event has to be waited for.
        """
        assert self._sock is not None and self.target is not None  # noqa: S101, PT018
        error = syscalls.connect(self._sock, self.target.sockaddr)
        if error == errno.EINPROGRESS:
            error = syscalls.connect(self._sock, self.target.sockaddr)
        if error in (0, errno.EISCONN):
            if self.target.is_own(self._sock):
                self._drop(reasons.name_error("backend", errno.ECONNREFUSED))
                return False
            self._stop_waiting()
            sock, self._sock = self._sock, None
            self._owner.connected(sock, self.target)
            return True
        if error in _UNDER_WAY:
            self._wait_for_answer()
            return True
        if error == errno.EAGAIN:  # a unix socket whose backlog is full: connect(2)
            self._wait_for_backlog()
            return True
        self._drop(reasons.name_error("backend", error))
        return False

    def _wait_for_answer(self) -> None:
        if not self._registered:
            assert self._sock is not None  # noqa: S101
            self._reactor.register(self._sock.fileno(), select.EPOLLOUT, self)
            self._registered = True
            self._timer = self._reactor.timers.after(self._timeout_s, self)

    def _wait_for_backlog(self) -> None:
        self._timer = self._reactor.timers.after(_FULL_BACKLOG_RETRY_S, self)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._registered and self._sock is not None:
            self._reactor.unregister(self._sock.fileno())
            self._registered = False

    def _drop(self, why: str) -> None:
        assert self.target is not None  # noqa: S101
        self.cancel()
        self._attempt_failed(self.target, why)

    def _attempt_failed(self, target: SocketAddress, why: str) -> None:
        self._why = reasons.outweigh(self._why, why)
        self._owner.attempt_failed(target, why)

    def on_events(self, events: int) -> None:
        """Look again: the socket is writable, or has an error."""
        if not self._advance():
            self.start()

    def on_deadline(self) -> None:
        """Look again at a full backlog; give an address up that has not answered in time."""
        overdue = self._registered or self._reactor.now_s >= self._deadline_s
        if not self._advance():
            self.start()
        elif overdue and self._sock is not None:  # and not answered while this process was held up
            self._drop(reasons.CONNECT_TIMEOUT)
            self.start()

    def on_crash(self, error: Exception) -> None:
        """Give up after an exception that nobody foresaw."""
        self.cancel()
        self._owner.dial_crashed(error)
