"""What a mirror's peer answers, on its way into the log that has the connection itself.

It is a connection of its own there: its response is what the peer has answered, and its request is
that of the connection which it mirrors, as far as the peer has got it.
"""

from collections.abc import Callable
from dataclasses import replace
from time import monotonic_ns

from spliceproxy.formats.capture.layout import RecordKind
from spliceproxy.formats.timestamps import timestamp
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.budget import MirrorShare
from spliceproxy.sinks.capture_index import CapturedConnection
from spliceproxy.sinks.capture_log import CaptureLog
from spliceproxy.sinks.capture_outlet import CaptureOutlet

MOST_WAITING_BYTES = 16 << 20
"""Of all answers to a mirror in a worker: conversations of clients are written behind them."""


class AnswersBranch(Branch):
    """Of one stream of answers; the bound is for all that share the memory."""

    def __init__(
        self,
        settings: MirrorSettings,
        reactor: Reactor,
        share: MirrorShare,
        client: bytes,
        on_closed: Callable[[Branch], None],
    ) -> None:
        joined = share.join(client)
        super().__init__(
            settings,
            "response",
            reactor,
            joined,
            on_open=lambda: None,
            on_room=lambda: None,
            on_failed=lambda why: None,
            on_closed=on_closed,
        )
        self._may_hold_in_advance = False  # the bound is one of sums
        self._all = share
        self._joined = joined

    @property
    def is_full(self) -> bool:
        """Whether nothing is taken now: what comes need not be read."""
        limit = self.settings.max_bytes
        return (
            not self.open
            or self.fill >= 1.0
            or self._all.used_bytes >= MOST_WAITING_BYTES
            or (limit is not None and self.offered_bytes >= limit)
        )

    def _has_room(self, count: int) -> bool:
        return self._all.used_bytes + count <= MOST_WAITING_BYTES and super()._has_room(count)

    def leave(self) -> None:
        """Nothing is held any more."""
        self._all.leave(self._joined)


class CaptureAnswers:
    """Of one stream to a mirror. They meet the capture's policy, in memory of a share of their own.

    A disk that is too slow makes them incomplete, and nobody waits for it.
    """

    def __init__(
        self,
        log: CaptureLog,
        mirrored: CapturedConnection,
        of: Branch,
        settings: MirrorSettings,
        reactor: Reactor,
        share: MirrorShare,
    ) -> None:
        """`of`: the stream that is answered; `settings`: the capture's."""
        self._log = log
        self._of = of
        self._mirrored = mirrored
        self._connection = log.open_connection(self._describe)
        limited = replace(settings, buffer_bytes=None, max_bytes=of.settings.max_bytes)
        self.branch = AnswersBranch(limited, reactor, share, of.client, self._branch_over)
        """What became of the bytes that the peer has answered."""
        self.branch.facts = of.facts
        self._outlet = self.branch.outlet = CaptureOutlet(self.branch, log, self._connection)
        self._started = timestamp()
        self._sent_bytes = self._told_bytes = 0
        self._sent_ns = 0
        self._reason = ""
        self._done: Callable[[], None] | None = None

    def _describe(self) -> dict[str, object]:
        """Return what the connection's own facts are, but for who answers."""
        mirror = self._of.settings.text
        return {
            **self._of.facts().line(),
            "backend": mirror.partition(":")[2].removeprefix("//"),
            "mirror": mirror,
            "mirror_of": self._log.name(self._mirrored),
        }

    def start(self) -> None:
        """Introduce the connection, behind the one that it mirrors."""
        if self._mirrored.segment != self._log.segment:
            self._log.introduce(self._mirrored)
        self._outlet.start()

    def sent(self, count: int) -> None:
        """The peer has got so many bytes of the stream in all; told with what it answers next."""
        if count != self._sent_bytes:
            self._sent_bytes = count
            self._sent_ns = monotonic_ns()

    def take(self, data: bytes) -> None:
        """Record what the peer answers, if there is room."""
        branch = self.branch
        count = branch.accept(len(data))
        if count:
            self._tell_sent()
            branch.take_bytes(data if count == len(data) else data[:count])

    @property
    def is_full(self) -> bool:
        """Whether nothing is taken now: what comes may be discarded, and told by `lose`."""
        return self.branch.is_full

    def lose(self, count: int) -> None:
        """The peer has answered so many bytes that were discarded."""
        accepted = self.branch.accept(count)
        if accepted:
            self.branch.miss(accepted)

    def _tell_sent(self) -> None:
        if self._told_bytes == self._sent_bytes:
            return
        self._told_bytes = self._sent_bytes
        age_ns = monotonic_ns() - self._sent_ns
        self._outlet.put_beside(RecordKind.SENT, self._sent_bytes, {"age_ns": age_ns})

    def end(self, *, is_reset: bool) -> None:
        """The peer has ended its answers."""
        if self.branch.open:
            self._tell_sent()
            self.branch.end(clean=not is_reset)

    def close(self, reason: str, done: Callable[[], None]) -> None:
        """The connection to the peer is over; done when all that there is has been written."""
        self._reason = reason
        self._done = done
        if self.branch.over:
            self._close_connection()
            return
        self._tell_sent()
        self.branch.stop("")  # it has not ended, so no end is told

    def _branch_over(self, _: Branch) -> None:
        self.branch.leave()
        if self._done is not None:
            self._close_connection()

    def _close_connection(self) -> None:
        facts = {
            "reason": self._reason,
            "started": self._started,
            "ended": timestamp(),
            "request_bytes": self._sent_bytes,
            "response_bytes": self.branch.offered_bytes,
            "gaps": {"response": [[gap.offset, gap.length] for gap in self.branch.gaps]},
        }
        self._log.close_connection(self._connection, (), facts, self._closed)

    def _closed(self, error: OSError | None) -> None:
        """That its last record is lost is told with that of the connection which it mirrors."""
        done, self._done = self._done, None
        if done is not None:
            done()

    def report(self) -> dict[str, object]:
        """What became of the bytes, for the log."""
        branch = self.branch
        return {
            "offered_bytes": branch.offered_bytes,
            "recorded_bytes": branch.delivered_bytes,
            "lost_bytes": branch.dropped_bytes,
            "queued_bytes": branch.held_bytes,
            "reason": branch.reason if branch.dropped_bytes else "",
        }
