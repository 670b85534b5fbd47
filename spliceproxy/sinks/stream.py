"""`tcp:`, `tls:` and `unix:` mirrors: a connection of its own for each stream.

Answers are discarded, or recorded in the capture of the same route that has the connection itself.
"""

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.dial import DialOwner
from spliceproxy.loop.farewell import close_cleanly
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror_kinds.stream import StreamOptions
from spliceproxy.sinks.answering_outlet import AnsweringOutlet
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.budget import Budget, MirrorShare
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.sink import Medium, Sink
from spliceproxy.sinks.stream_outlet import (
    MakeDial,
    PeerDial,
    StreamOutlet,
    name_dial_failure,
    plain_dial,
)


class StreamSink(Sink):
    """A peer that is connected to for each stream; it need not be there yet."""

    descriptors = 1
    medium = Medium.SOCKET
    can_be_tried = True
    _outlet: type[StreamOutlet] = StreamOutlet
    _answering_outlet: type[AnsweringOutlet] = AnsweringOutlet
    _trial: "_Trial | None" = None
    _recorder: tuple[Sink, MirrorShare] | None = None

    def meet(self, others: Sequence[Sink], budget: Budget) -> None:
        """Find the capture that is to have the answers."""
        own: StreamOptions | None = self.settings.own
        if own is not None and own.answers is not None:
            directory = own.answers
            recorder = next(sink for sink in others if sink.keeps_answers_in(directory))
            self._recorder = recorder, budget.open_share()
            self.records_answers = True

    def make_outlet(self, branch: Branch, name: str) -> Outlet:
        """See `Sink.make_outlet`."""
        if self._recorder is None:
            return self._outlet(branch, self.reactor, self.dial)
        recorder, share = self._recorder
        keep = partial(recorder.keep_answers, branch, name, share)
        return self._answering_outlet(branch, self.reactor, self.dial, keep)

    def dial(self, owner: DialOwner) -> PeerDial:
        """Return what connects to the peer."""
        assert self.peer is not None  # noqa: S101 - these mirrors have an address
        return plain_dial(self.reactor, self.peer.targets, owner)

    def try_out(self, done: Callable[[str], None]) -> None:
        """Connect, and say goodbye."""
        self._trial = _Trial(self.reactor, self.dial, done)

    def close(self) -> None:
        """Give up to connect."""
        if self._trial is not None:
            self._trial.cancel()


class _Trial:
    """A connection of no bytes, to find out whether the mirror is there."""

    def __init__(self, reactor: Reactor, dial: MakeDial, done: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._done = done
        self._dial: PeerDial | None = dial(self)
        self._dial.start()

    def connected(self, sock: Socket, target: SocketAddress) -> None:
        """It is there."""
        self._dial = None
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)  # by TLS that says goodbye
        close_cleanly(self._reactor, sock)
        self._done("")

    def attempt_failed(self, target: SocketAddress, why: str) -> None:
        """Nothing to note: the last attempt's reason counts."""

    def dial_failed(self, why: str) -> None:
        """No address of the mirror answers."""
        self._dial = None
        self._done(name_dial_failure(why))

    def dial_crashed(self, error: Exception) -> None:
        """Something that nobody foresaw has."""
        self._dial = None
        self._done(f"internal_error: {error}")

    def cancel(self) -> None:
        """Give up."""
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
