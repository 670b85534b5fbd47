"""One stream's part in a `capture:` mirror's log."""

from time import monotonic_ns
from zlib import crc32

from spliceproxy.formats.capture.encode import encode_record
from spliceproxy.formats.capture.layout import CHECKSUM, RECORD, RECORD_BYTES, Flag, RecordKind
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.capture_batch import HAND_OVER_BYTES, Batch, Portion
from spliceproxy.sinks.capture_index import CapturedConnection
from spliceproxy.sinks.capture_log import CaptureLog
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.tap.chunk import PipeChunk

_DATA, _UNCHECKED = int(RecordKind.DATA), int(Flag.UNCHECKED)
_BESIDE_BYTES = RECORD_BYTES + 24  # with a text of a number or two
_NO_BATCH = Batch()
_pack_record, _pack_checksum = RECORD.pack, CHECKSUM.pack


class CaptureOutlet(Outlet):
    """Takes copies as they come, instead of from the branch's queue: the log has the order."""

    overhead_bytes = RECORD_BYTES

    def __init__(self, branch: Branch, log: CaptureLog, connection: CapturedConnection) -> None:
        self.connection = connection
        self.outstanding = 0
        """Batches that have something of it, and are not written yet."""
        self._branch = branch
        self._log = log
        self._flag = int(Flag.RESPONSE) if branch.direction == "response" else 0
        self._number = connection.number
        self._begins_at = branch.begins_at
        self._next = 0  # of the stream as it was offered; what is before it has been put in
        self._batch = _NO_BATCH  # that has the last of it
        self._portion = Portion(0)  # of that batch
        self._ends = False
        # Then what comes first is as safe as what comes later.
        self.is_open_from_the_start = log.is_in_order
        self._lost_end = False
        branch.recorder = self
        connection.streams[branch.direction] = self

    @property
    def end_offset(self) -> int:
        """How far into the stream of the connection its records go."""
        return self._begins_at + self._next

    @property
    def begins_at(self) -> int:
        """Where in the stream of the connection it begins."""
        return self._branch.begins_at

    def start(self) -> None:
        """Introduce the connection; wait for that to be written if there is no traffic before."""
        self._catch_up(0)
        if self._branch.is_opening:
            self._log.hurry()

    def take_bytes(self, data: bytes, offset: int) -> None:
        """Put in a copy. Each message comes here: what `encode_record` does is done in place."""
        if offset != self._next or self._batch is not self._log.batch:
            self._catch_up(offset)
        size = len(data)
        self._next = offset + size
        self._portion.overhead_bytes += RECORD_BYTES
        self.connection.last_ns = now_ns = monotonic_ns()
        at = self._begins_at + offset
        head = _pack_record(size, _DATA, self._flag, 0, self._number, now_ns, at, 0)
        tail = self._batch.tail
        tail += head
        tail += _pack_checksum(crc32(head))
        tail += data
        if len(tail) >= HAND_OVER_BYTES:
            self._log.added()

    def take_pipe(self, chunk: PipeChunk) -> None:
        """Put in a copy by page reference."""
        size, offset = chunk.size, chunk.offset
        if offset != self._next or self._batch is not self._log.batch:
            self._catch_up(offset)
        self._next = offset + size
        self._portion.overhead_bytes += RECORD_BYTES
        connection = self.connection
        connection.last_ns = now_ns = monotonic_ns()
        at = self._begins_at + offset
        flags = self._flag | _UNCHECKED
        head = encode_record(RecordKind.DATA, flags, connection.number, now_ns, at, size)
        self._batch.add_pipe(head, chunk)
        self._log.added()

    def put_beside(self, kind: RecordKind, offset: int, facts: dict[str, object]) -> None:
        """Put in what else there is to tell of the connection, in order with its copies."""
        self._catch_up(self._next)
        self._log.put_text(kind, 0, self.connection, offset, facts)
        self._portion.overhead_bytes += _BESIDE_BYTES
        self._branch.hold_overhead(_BESIDE_BYTES)

    def _catch_up(self, offset: int) -> None:
        """Be in the batch that is filled now, and tell there what is missing before this offset.

        A new batch may be another segment's, which may have nothing of the connection.
        """
        log = self._log
        if self._batch is not log.batch:
            self._portion.end_range(self._next, self._next)
            self._batch = log.batch
            self._portion = log.batch.join(self, self._next)
            self.outstanding += 1
            if self.connection.segment != log.segment:
                log.introduce(self.connection)
            log.added()
        if offset > self._next:
            self._portion.note_gap(self._next)
            self._portion.end_range(self._next, offset)
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
        if branch.vital and branch.queued_bytes:
            self._log.hurry()
        else:
            branch.recorded()

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
        if count := portion.count:
            branch.delivered(count)
        branch.opened()
        self._close_if_over()

    def lost(self, portion: Portion, why: str) -> None:
        """A batch could not be written; what has come since is lost, too."""
        self._portion.end_range(self._next, self._next)  # before that offset is set back
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
        if portion is self._portion:
            portion.end_range(self._next, self._next)
        if portion.overhead_bytes:
            self._branch.release_overhead(portion.overhead_bytes)

    def _close_if_over(self) -> None:
        if self._ends and not self.outstanding and not self._branch.over:
            self._branch.recorded()
            self._branch.closed()
