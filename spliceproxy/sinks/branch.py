"""One direction of one connection on its way to one mirror: its queue, policy and account."""

from collections.abc import Callable
from typing import Literal

from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.branch_queue import BranchQueue
from spliceproxy.sinks.budget import ClientShare
from spliceproxy.sinks.connection_facts import ConnectionFacts
from spliceproxy.sinks.last_flush import LastFlush


class Branch(BranchQueue):
    """Accepts copies by the mirror's policy; every byte is delivered, dropped or still queued.

    A copy that finds no room, within its own maximum and the client's share of the memory, meets
    the policy: ``detach`` ends the branch, ``gap`` skips the range, ``spill`` sends it to disk,
    ``block`` holds the source back.

    A branch with ``block`` is vital: no traffic without it. It holds the source from the beginning
    until it is `let_go`, whenever the queue is too long, and at the end of the stream until the
    outlet has handed over the last byte (`recorded`). If it fails before that, so does the
    connection.
    """

    facts: Callable[[], ConnectionFacts]
    """Tells of the connection."""

    def __init__(
        self,
        settings: MirrorSettings,
        direction: str,
        reactor: Reactor,
        share: ClientShare,
        on_open: Callable[[], None],
        on_room: Callable[[], None],
        on_failed: Callable[[str], None],
        on_closed: Callable[["Branch"], None],
    ) -> None:
        super().__init__(settings, reactor, share)
        self.direction = direction
        self.begins_at = 0
        """Where in the connection's stream the branch's own begins."""
        self.stream_end: Literal["", "orderly", "broken"] = ""
        """How the stream has ended, if it has, and not only the copy of it."""
        self.vital = settings.is_vital
        """There is to be no traffic that it has no record of."""
        self.holds = self.vital
        self.open = True
        """Copies are still accepted."""
        self.over = False
        """The outlet has ended."""
        self._reactor = reactor
        self._on_open = on_open
        self._on_room = on_room
        self._on_failed = on_failed
        self._on_closed = on_closed
        self._opening = self.vital
        self._barred = self.vital  # as long as it, or another one of the connection, is opening
        self._last_flush = LastFlush(self, reactor)

    @property
    def answers(self) -> "Branch | None":
        """What the sink's peer has answered, if that is recorded."""
        answers = self.outlet.answers
        return None if answers is None else answers.branch

    @property
    def is_opening(self) -> bool:
        """Whether the connection waits for the outlet to open."""
        return self._opening

    @property
    def state(self) -> str:
        """``complete`` and ``incomplete`` once it is over, before that ``open`` or ``closing``."""
        if self.over:
            return "incomplete" if self.reason else "complete"
        return "open" if self.open else "closing"

    def opened(self) -> None:
        """The outlet can take bytes. To be called if the branch is vital; again does no harm."""
        if self._opening:
            self._opening = False
            self._on_open()

    def begin_open(self) -> None:
        """Nobody waits for the outlet to open. To be called before it is started."""
        self._opening = self._barred = self.holds = False

    def let_go(self) -> None:
        """Every outlet is open that the connection can't do without: the first byte may pass."""
        self._barred = False
        self._look_at_hold()

    def recorded(self) -> None:
        """The outlet has handed over all that it got; it may take its time to say goodbye.

        That is the whole stream, unless a copy is missing: then the connection fails.
        """
        if not self.open and not self.reason:
            self.vital = False
            self._look_at_hold()

    def offer(self, data: bytes) -> None:
        """See `spliceproxy.tap.copy_receiver.CopyReceiver`."""
        recorder, size = self.recorder, len(data)
        if recorder is not None and (left := self._advance_bytes - size) >= 0:
            # All has been looked at for this copy when the last one came.
            offset = self.offered_bytes
            self.offered_bytes = offset + size
            self.queued_bytes += size
            self._advance_bytes = left - recorder.overhead_bytes
            recorder.take_bytes(data, offset)
        elif wanted := self.accept(size):
            self.take_bytes(data[:wanted])

    def accept(self, count: int) -> int:
        """See `spliceproxy.tap.copy_receiver.CopyReceiver`."""
        limit = self.settings.max_bytes
        if limit is not None:
            count = min(count, limit - self.offered_bytes)
            if count <= 0:
                return 0
        self._accepted_at = self.offered_bytes
        self.offered_bytes += count
        if not self.open:
            self.drop(count, self._accepted_at)
            return 0
        if self.vital or self._has_room(count):
            return count
        return self._overflow(count)

    def _has_room(self, count: int) -> bool:
        if self.queued_bytes + count > self._most_bytes:
            return False
        return self._share.has_room(count) if self.spool is None else self.spool.leaves_room(count)

    def _overflow(self, count: int) -> int:
        if self.spool is not None and self.spool.has_room(count):
            self.spool.expect()
            return count
        why = self._name_overflow(count)
        self.drop(count, self._accepted_at)
        if self.settings.overflow == "gap":
            self.reason = self.reason or why
        else:
            self.detach(why)
        return 0

    def _name_overflow(self, count: int) -> str:
        if not self._share.has_room(count):
            return "budget_full"
        return "buffer_full" if self.spool is None else "spool_full"

    def _wants_source_held(self) -> bool:
        if not self.vital or self.over:
            return False
        if self._barred or not self.open:
            return True
        if not self.queued_bytes:
            return False  # with an empty queue nothing would ever release the source
        return self.queued_bytes > self._most_bytes or not self._share.has_room(0)

    def _look_at_hold(self) -> None:
        held, self.holds = self.holds, self._wants_source_held()
        if held and not self.holds:
            self._on_room()

    def delivered(self, count: int) -> None:
        """The outlet has got so many bytes of the queue to the sink."""
        self.delivered_bytes += count
        self._leave_queue(count)
        self._last_flush.progressed()
        if self.holds:
            self._look_at_hold()
        if self.spool is not None:
            self.spool.work()

    def progressed(self) -> None:
        """The sink moves on with what it has got, though it takes nothing from the queue."""
        self._last_flush.progressed()

    def skip(self, count: int, offset: int, why: str) -> None:
        """The outlet could not place so many bytes of the queue, and goes on behind them."""
        self._leave_queue(count)
        self.drop(count, offset)
        self.reason = self.reason or why

    def miss(self, count: int) -> None:
        """A copy could not be made."""
        self.drop(count, self.offered_bytes - count)
        if self.settings.overflow == "gap":
            self.reason = self.reason or "copy_failed"
        else:
            self.detach("copy_failed")

    def detach(self, why: str) -> None:
        """End the branch early: what is queued is still delivered if the mirror takes it."""
        if self.open:
            self.reason = self.reason or why
            self._stop_accepting(clean=False)
            self._tell_failed()

    def stop(self, why: str) -> None:
        """Deliver what is queued, and no more. Empty: it has all that it was to get."""
        self.vital = False
        self.opened()
        if self.open:
            self.reason = self.reason or why
            self._stop_accepting(clean=not self.reason)

    def end(self, *, clean: bool) -> None:
        """No more is coming."""
        if self.open:
            self.stream_end = "orderly" if clean else "broken"
            if not clean:
                self.vital = False  # there is no traffic any more that could wait, or fail
                self.reason = self.reason or "connection_aborted"
            self._stop_accepting(clean=clean)

    def _stop_accepting(self, *, clean: bool) -> None:
        self._accept_no_more()
        self._look_at_hold()
        if self.spool is not None and self.spool.active:
            self.spool.work()
        else:
            if self.queue:
                self.outlet.flush()
            if not self.over:
                self.outlet.finish(clean=clean)
        if not self.over:
            self._last_flush.begin()

    def _accept_no_more(self) -> None:
        self.open = self._may_hold_in_advance = False
        self._end_advance()

    def spool_drained(self) -> None:
        """The spool has given everything back: the outlet may finish."""
        if not self.open and not self.over:
            self.outlet.finish(clean=not self.reason)

    def fail(self, why: str) -> None:
        """The outlet can't go on: the rest is lost."""
        if not self.over:
            self.reason = self.reason or why
            self._accept_no_more()
            self.outlet.cut()
            self._tell_failed()

    def _tell_failed(self) -> None:
        """The connection is to fail, too, if it can't do without."""
        if self.vital:
            self.vital = False  # once is enough
            self._on_failed(self.reason)

    def closed(self) -> None:
        """The outlet has ended; what is still queued is lost."""
        if self.over:
            return
        if self.open:  # in the middle of the stream
            self._accept_no_more()
            self.reason = self.reason or "mirror_closed"
        self.over = True
        self._gathering.cancel()
        self._last_flush.cancel()
        if self.spool is not None:
            for offset, count in self.spool.close():
                self.drop(count, offset)
        while self.queue:
            chunk = self.queue.popleft()
            self.skip(chunk.size, chunk.offset, "mirror_closed")
            chunk.discard()
        if self.reason:
            self._tell_failed()
        self.opened()
        self._look_at_hold()
        self._on_closed(self)

    def on_crash(self, error: Exception) -> None:
        """Give up after an exception that nobody foresaw."""
        self.fail(f"internal_error: {error}")
