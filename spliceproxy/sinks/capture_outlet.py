"""One stream's part in a `capture:` mirror's log."""

from time import monotonic_ns

from spliceproxy.formats.capture.encode import encode_record
from spliceproxy.formats.capture.layout import RECORD_BYTES, Flag, RecordKind
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.capture_batch import Portion
from spliceproxy.sinks.capture_index import CapturedConnection
from spliceproxy.sinks.capture_log import CaptureLog
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.tap.chunk import PipeChunk

_DATA, _UNCHECKED = RecordKind.DATA, Flag.UNCHECKED


class CaptureOutlet(Outlet):
    """Takes copies as they come, instead of from the branch's queue: the log has the order."""

    def __init__(self, branch: Branch, log: CaptureLog, connection: CapturedConnection) -> None:
        self.connection = connection
        self.outstanding = 0
        """Batches that have something of it, and are not written yet."""
        self._branch = branch
        self._log = log
        self._flag = Flag.RESPONSE if branch.direction == "response" else 0
        self._next = 0  # of the stream as it was offered; what is before it has been put in
        self._ends = False
        self._lost_end = False
        branch.recorder = self
        connection.streams[branch.direction] = self

    @property
    def end_offset(self) -> int:
        """How far into the stream of the connection its records go."""
        return self._branch.begins_at + self._next

    @property
    def begins_at(self) -> int:
        """Where in the stream of the connection it begins."""
        return self._branch.begins_at

    def start(self) -> None:
        """Introduce the connection; wait for that to be written if there is no traffic before."""
        if self.connection.segment != self._log.segment:
            self._log.introduce(self.connection)
        if self._branch.vital:
            self._log.batch.portion(self)
            self._log.hurry()
        self._log.added()

    def take_bytes(self, data: bytes, offset: int) -> None:
        """Put in a copy."""
        log, size = self._log, len(data)
        if offset != self._next or self.connection.segment != log.segment:
            self._catch_up(offset)
        batch, tail = log.batch, log.batch.tail
        tail += self._head(size, offset, self._flag)
        tail += data
        batch.portion(self).note(offset, size, RECORD_BYTES)
        log.added()

    def take_pipe(self, chunk: PipeChunk) -> None:
        """Put in a copy by page reference."""
        if chunk.offset != self._next or self.connection.segment != self._log.segment:
            self._catch_up(chunk.offset)
        size, offset = chunk.size, chunk.offset
        batch = self._log.batch
        batch.add_pipe(self._head(size, offset, self._flag | _UNCHECKED), chunk)
        batch.portion(self).note(offset, size, RECORD_BYTES)
        self._log.added()

    def _head(self, size: int, offset: int, flags: int) -> bytes:
        connection, branch = self.connection, self._branch
        connection.last_ns = now_ns = monotonic_ns()
        branch.hold_more(RECORD_BYTES)
        self._next = offset + size
        at = branch.begins_at + offset
        return encode_record(_DATA, flags, connection.number, now_ns, at, size)

    def _catch_up(self, offset: int) -> None:
        """Introduce the connection if this segment has nothing of it; tell what is missing."""
        if self.connection.segment != self._log.segment:
            self._log.introduce(self.connection)
        if offset > self._next:
            self._log.batch.portion(self).note_gap(self._next)
            self._tell_gap(offset)

    def _tell_gap(self, offset: int) -> None:
        connection = self.connection
        connection.gaps += 1
        facts = {"bytes": offset - self._next, "reason": self._branch.reason}
        self._log.put_text(RecordKind.GAP, self._flag, connection, self.end_offset, facts)
        self._next = offset

    def tell_rest(self) -> None:
        """Tell what is missing up to the end of the stream, before the connection's last record.

        That was lost with the last batches, or came after the branch had ended. An end that was
        lost is told again.
        """
        if self._branch.offered_bytes > self._next:
            self._tell_gap(self._branch.offered_bytes)
        if self._lost_end:
            self._tell_end()

    def flush(self) -> None:
        """Nothing is ever queued."""

    def finish(self, *, clean: bool) -> None:
        """Put in the end of the stream; the branch is over when that is written."""
        branch = self._branch
        self._ends = True
        self._catch_up(branch.delivered_bytes + branch.queued_bytes + branch.dropped_bytes)
        self._tell_end()
        self._log.batch.portion(self)
        self._log.added()
        if branch.vital:
            self._log.hurry()

    def _tell_end(self) -> None:
        connection, branch = self.connection, self._branch
        if not branch.stream_end:
            return
        limit = branch.settings.max_bytes
        if limit is not None and branch.offered_bytes >= limit:
            facts: dict[str, object] = {"bytes": None, "reason": "max_bytes"}  # or there was none
            self._log.put_text(RecordKind.GAP, self._flag, connection, self.end_offset, facts)
        connection.last_ns = now_ns = monotonic_ns()
        kind = RecordKind.END if branch.stream_end == "orderly" else RecordKind.RESET
        self._log.batch.tail += encode_record(
            kind, self._flag, connection.number, now_ns, self.end_offset
        )

    def cut(self) -> None:
        """End with what has been put in, which cannot be taken back."""
        self._ends = True
        if not self.outstanding:
            self._branch.closed()

    def written(self, portion: Portion) -> None:
        """A batch is in the segment."""
        self._settle(portion)
        branch = self._branch
        if portion.count:
            branch.delivered(portion.count)
        branch.opened()
        self._close_if_over()

    def lost(self, portion: Portion, why: str) -> None:
        """A batch could not be written."""
        self._settle(portion)
        branch = self._branch
        if portion.gaps_from is not None:
            self._next = min(self._next, portion.gaps_from)
        for offset, count in portion.ranges:
            self._next = min(self._next, offset)
            branch.skip(count, offset, why)
        if self._ends:  # the end of the stream is missing, too
            self._lost_end = True
            branch.reason = branch.reason or why
        elif branch.settings.overflow != "gap":
            branch.fail(why)
        self._close_if_over()

    def _settle(self, portion: Portion) -> None:
        self.outstanding -= 1
        self._branch.hold_more(-portion.overhead_bytes)

    def _close_if_over(self) -> None:
        if self._ends and not self.outstanding and not self._branch.over:
            self._branch.recorded()
            self._branch.closed()
