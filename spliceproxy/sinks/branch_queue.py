"""What a branch holds for its outlet: a queue in memory, and behind it perhaps a spool."""

import sys
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.account import Account
from spliceproxy.sinks.budget import ClientShare
from spliceproxy.sinks.gathering import Gathering
from spliceproxy.tap.chunk import BytesChunk, Chunk, PipeChunk

if TYPE_CHECKING:
    from spliceproxy.sinks.outlet import Outlet, Recorder
    from spliceproxy.sinks.spool import Spool

MERGE_BYTES = 256 << 10
"""Small copies are merged into the last chunk of the queue until it has this size."""

_ADVANCE_BYTES = 4 << 10
"""Counted as held before it is, so that a message of 100 bytes is not looked at by itself."""


class BranchQueue(Account):
    """Copies that were accepted, until the outlet has got them to the sink."""

    outlet: "Outlet"

    def __init__(self, settings: MirrorSettings, reactor: Reactor, share: ClientShare) -> None:
        super().__init__()
        self.settings = settings
        self.queue: deque[Chunk] = deque()
        self.spool: Spool | None = None
        self.recorder: Recorder | None = None
        """Takes copies at once, instead of the queue; the outlet's business."""
        self._advance_bytes = 0
        """Of the share, counted as held, and not in use yet: for the next copies of a recorder."""
        self.holds = False
        """The source is to wait."""
        self._share = share
        self._gathering = Gathering(reactor, self._flush, self.on_crash)
        own_bytes = settings.buffer_bytes
        self._most_bytes = sys.maxsize if own_bytes is None else own_bytes
        self._flush_bytes = self._most_bytes // 2  # before it is full
        self._may_hold_in_advance = settings.max_bytes is None
        self._accepted_at = 0  # where in the stream the copy that was accepted last begins

    @abstractmethod
    def on_crash(self, error: Exception) -> None:
        """Give up after an exception that nobody foresaw."""

    @abstractmethod
    def _wants_source_held(self) -> bool:
        """Whether the source is to wait."""

    @property
    def client(self) -> bytes:
        """Whose share of the memory it takes."""
        return self._share.client

    @property
    def held_bytes(self) -> int:
        """Bytes that are neither delivered nor dropped yet."""
        return self.queued_bytes + (0 if self.spool is None else self.spool.held_bytes)

    @property
    def fill(self) -> float:
        """How much it holds of what it may; from 1.0 on a copy finds no room in memory."""
        if self.spool is not None and self.spool.active:
            return 1.0
        own = self.queued_bytes / self._most_bytes
        return max(self._share.fill, own) if self.queued_bytes else 0.0

    @property
    def has_all(self) -> bool:
        """Whether nothing waits for the outlet, in memory or on disk."""
        return not self.queue and not (self.spool is not None and self.spool.active)

    def take_bytes(self, data: bytes) -> None:
        """Queue a copy; a small one joins the last chunk."""
        offset = self._accepted_at
        if self.recorder is not None:
            self.recorder.take_bytes(data, offset)
            self._hold(len(data), self.recorder.overhead_bytes)
            return
        if self.spool is not None and self.spool.active:
            self.spool.put(BytesChunk(data, offset))
            return
        last = self.queue[-1] if self.queue else None
        if not (isinstance(last, BytesChunk) and last.merge(data, offset, MERGE_BYTES)):
            self.queue.append(BytesChunk(data, offset))
        self._queued(len(data))

    def take_pipe(self, chunk: PipeChunk) -> None:
        """Queue a copy by page reference."""
        chunk.offset = self._accepted_at
        if self.recorder is not None:
            size = chunk.size
            self.recorder.take_pipe(chunk)
            self._hold(size, self.recorder.overhead_bytes)
        elif self.spool is not None and self.spool.active:
            self.spool.put(chunk)
        else:
            self.requeue(chunk)

    def requeue(self, chunk: Chunk) -> None:
        """Queue what comes back from the spool, or never was in it."""
        self.queue.append(chunk)
        self._queued(chunk.size)

    def _hold(self, count: int, overhead_bytes: int) -> None:
        self.queued_bytes += count
        self._share.hold(count + overhead_bytes)
        self.holds = self._wants_source_held()
        if self._may_hold_in_advance and not self.holds:
            self._hold_in_advance()

    def _hold_in_advance(self) -> None:
        more_bytes = _ADVANCE_BYTES - self._advance_bytes
        if (
            self.queued_bytes + _ADVANCE_BYTES <= self._most_bytes
            # Else others might find no room for what this one does not need.
            and self._share.has_room_in_half(more_bytes)
        ):
            self._share.hold(more_bytes)
            self._advance_bytes = _ADVANCE_BYTES

    def _end_advance(self) -> None:
        """Give back what was held in advance."""
        if self._advance_bytes:
            self._share.release(self._advance_bytes)
            self._advance_bytes = 0

    def hold_overhead(self, count: int) -> None:
        """Count memory that a recorder has taken for something else than a copy."""
        self._share.hold(count)

    def release_overhead(self, count: int) -> None:
        """Give back memory that a recorder's copies took beside their bytes."""
        self._share.release(count)

    def _queued(self, count: int) -> None:
        self.queued_bytes += count
        self._share.hold(count)
        if self.queued_bytes >= min(self.outlet.gather_bytes, self._flush_bytes):
            self.outlet.flush()
        else:
            self.gather()
        self.holds = self._wants_source_held()

    def gather(self) -> None:
        """Have the queue flushed a little later, with what has come until then."""
        if self.queue:
            self._gathering.flush_after(self.outlet.gather_s)

    def _flush(self) -> None:
        if self.queue:
            self.outlet.flush()

    def _leave_queue(self, count: int) -> None:
        self.queued_bytes -= count
        self._share.release(count)
        if not self.queued_bytes:
            self._end_advance()
