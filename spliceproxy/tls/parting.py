"""How both sockets of a link end, where one of them speaks TLS: it says goodbye first."""

import select
from collections.abc import Callable
from contextlib import suppress

from spliceproxy.loop.farewell import ResetAfterDelivery, close_cleanly, close_with_reset
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer
from spliceproxy.pump.ending import Ending
from spliceproxy.pump.link import Link
from spliceproxy.pump.parting import part
from spliceproxy.tls.tls_socket import TlsSocket

_GIVE_UP_S = 30.0
"""As long as a reset waits for delivery."""


class Goodbye:
    """Closes the sockets of a complete link when the last record of each has found room.

    A peer that takes nothing more gets a reset in the end, since it can't know otherwise that its
    stream is not complete.
    """

    __slots__ = ("_gone", "_late", "_reactor", "_timer")

    def __init__(self, reactor: Reactor, late: list[TlsSocket], gone: Callable[[], None]) -> None:
        self._reactor = reactor
        self._late = late
        self._gone = gone
        self._timer: Timer | None = None

    def start(self) -> None:
        """Wait for room."""
        self._timer = self._reactor.timers.after(_GIVE_UP_S, self)
        for sock in self._late:
            self._reactor.register(sock.fileno(), select.EPOLLOUT, self)

    def on_events(self, events: int) -> None:
        """Send what there is room for."""
        for sock in [sock for sock in self._late if _has_said_goodbye(sock)]:
            self._forget(sock)
            close_cleanly(self._reactor, sock)
        if not self._late:
            self._end()

    def on_deadline(self) -> None:
        """Reset who takes nothing."""
        self.cut()

    def on_crash(self, error: Exception) -> None:
        """Reset now."""
        self.cut()

    def cut(self) -> None:
        """Reset now."""
        for sock in list(self._late):
            self._forget(sock)
            close_with_reset(self._reactor, sock)
        self._end()

    def _forget(self, sock: TlsSocket) -> None:
        self._late.remove(sock)
        self._reactor.unregister(sock.fileno())

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._gone()


def part_from_tls(
    reactor: Reactor, link: Link, gone: Callable[[], None]
) -> Goodbye | ResetAfterDelivery | None:
    """Close both sockets of a link that has ended; see `pump.parting.part`.

    A close_notify is for those whose stream is complete.
    """
    if link.ending is not Ending.COMPLETE:
        return part(reactor, link, gone)
    late = []
    for sock in (link.client.sock, link.backend.sock):
        if isinstance(sock, TlsSocket) and not _has_said_goodbye(sock):
            late.append(sock)
        else:
            close_cleanly(reactor, sock)
    return Goodbye(reactor, late, gone) if late else None


def _has_said_goodbye(sock: TlsSocket) -> bool:
    """Say it, if there is room; also where nobody is left to hear it."""
    with suppress(OSError):
        return sock.say_goodbye()
    return True
