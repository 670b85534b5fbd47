"""The log that a `capture:` mirror of a worker writes: one segment after the other.

Records are put into a batch as they come, so that their order is that in which the proxy moved the
bytes. A thread writes one batch at a time; meanwhile the next one fills.

A batch that cannot be written is lost, and with it what has come since: what comes next begins a
new segment, in which each connection is introduced anew. So no record refers to a lost one.
"""

import errno
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from itertools import count
from time import monotonic_ns

import structlog

from spliceproxy.formats.capture.encode import encode_record, encode_text
from spliceproxy.formats.capture.layout import Flag, RecordKind
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror_kinds.capture import CaptureOptions
from spliceproxy.sinks.capture_batch import HAND_OVER_BYTES, Batch
from spliceproxy.sinks.capture_index import CapturedConnection, SegmentIndex
from spliceproxy.sinks.capture_left_out import LeftOut
from spliceproxy.sinks.capture_segment import SegmentFile
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.file_directory import FileDirectory, name_failure
from spliceproxy.sinks.gathering import Gathering

HAND_OVER_S = 0.1
"""The first of what waits is handed over when it is so old; see `HAND_OVER_BYTES`."""
_HUNG_S = 1.0
"""After so long a disk is taken to stand still: a file system's journal may hold it up for less."""
_BLOCK_BYTES = 2 << 20
"""Below what a reader takes (`MOST_BLOCK_BYTES`, and `MOST_BLOCK_RECORDS` of nothing but headers);
a piece of data has 1 MiB at most."""
_HAND_OVER_PIPES = 8  # of the 32 that all mirrors have
_MOST_CONNECTIONS = 65_536  # of a segment: its index takes 4 MiB then


class CaptureLog:
    """Belongs to one mirror; all but the jobs runs in the reactor."""

    def __init__(
        self,
        reactor: Reactor,
        disk: Disk,
        directory: FileDirectory,
        options: CaptureOptions,
        mirror: str,
    ) -> None:
        self._reactor = reactor
        self._disk = disk
        self._directory = directory
        self._options = options
        self._log = structlog.get_logger(mirror=mirror)
        self._writer = int.from_bytes(os.urandom(8), "little")
        self._numbers = count(1)
        self.segment = 0
        """That records are put into now; counted from 0."""
        self.batch = Batch()
        self._file = SegmentFile(directory, self._writer, 0)
        self._index = SegmentIndex()
        self._began_s: float | None = None  # when the segment got its first block
        self._is_writing = False
        self._handed_over_s = 0.0
        self._is_proven = False  # what was written last was written well
        self._is_urgent = False
        self._gathering = Gathering(reactor, self._hand_over, self._report)
        self._ageing = Gathering(reactor, self._has_aged, self._report)

    @property
    def is_busy(self) -> bool:
        """Whether something waits to be written, or is being written."""
        return self._is_writing or not self.batch.is_empty

    @property
    def is_in_order(self) -> bool:
        """Whether all was written until now, and the disk does not stand still."""
        is_hung = self._is_writing and self._reactor.now_s - self._handed_over_s > _HUNG_S
        return self._is_proven and not is_hung

    def open_connection(self, describe: Callable[[], dict[str, object]]) -> CapturedConnection:
        """Return one more connection, with a number of its own."""
        return CapturedConnection(next(self._numbers), describe)

    def name(self, connection: CapturedConnection) -> str:
        """Return what readers know a connection by."""
        return f"{self._writer:016x}-{connection.number}"

    def introduce(self, connection: CapturedConnection) -> None:
        """Have a connection's first record in this segment."""
        flags = 0 if connection.segment < 0 else Flag.CONTINUED
        connection.introduced(self.segment, self._index, monotonic_ns())
        facts = connection.describe()
        begins_at = {direction: one.begins_at for direction, one in connection.streams.items()}
        if any(begins_at.values()):  # it was attached to a live connection
            facts["begins_at"] = begins_at
        self.put_text(RecordKind.OPEN, flags, connection, 0, facts)

    def put_text(
        self,
        kind: RecordKind,
        flags: int,
        connection: CapturedConnection,
        offset: int,
        facts: dict[str, object],
    ) -> None:
        """Put in a record with a text; the caller tells by `added` when it has put in all."""
        payload = encode_text(facts)
        batch, now_ns = self.batch, monotonic_ns()
        connection.last_ns = now_ns
        batch.connections[connection] = None
        batch.tail += encode_record(kind, flags, connection.number, now_ns, offset, len(payload))
        batch.tail += payload

    def close_connection(
        self,
        connection: CapturedConnection,
        left_out: Iterable[LeftOut],
        facts: dict[str, object],
        done: Callable[[OSError | None], None],
    ) -> None:
        """Put in a connection's last record; done when it is written, or cannot be."""
        if connection.segment != self.segment:
            self.introduce(connection)
        for stream in connection.streams.values():
            stream.tell_rest()
        for one in left_out:
            connection.gaps += 1
            why: dict[str, object] = {"bytes": one.length, "reason": one.reason}
            self.put_text(RecordKind.GAP, one.flags, connection, one.offset, why)
        self.batch.closed.append(connection)
        self.put_text(RecordKind.CLOSE, 0, connection, 0, facts)
        self.batch.told.append(done)
        self.added()

    def added(self) -> None:
        """Something has been put in: have it written now if it is worth it, else soon."""
        batch = self.batch
        if batch.size >= HAND_OVER_BYTES or batch.pipes >= _HAND_OVER_PIPES:
            self._hand_over()
        else:
            self._gathering.flush_after(HAND_OVER_S)

    def hurry(self) -> None:
        """Have written what is there: traffic waits for it. What comes meanwhile goes along."""
        if not self._is_urgent:
            self._is_urgent = True
            self._reactor.at_turn_end(self._hand_over)

    def _report(self, error: Exception) -> None:
        """Tell of what nobody foresaw; what waits is written with what comes next."""
        self._log.error("internal_error", exc_info=error)

    def _hand_over(self) -> None:
        if self._is_writing:  # its end will look again
            self.batch.limit_block(_BLOCK_BYTES)
            return
        self._is_urgent = False
        self._gathering.cancel()
        batch = self.batch
        if not batch.size:
            self._tell_at_once()
            return
        self.batch = Batch()
        batch.close()
        self._is_writing = True
        self._handed_over_s = self._reactor.now_s
        if self._began_s is None:
            self._began_s = self._reactor.now_s
            self._ageing.flush_after(self._options.segment_age_s)
        file, index, is_last = self._file, self._index, self._is_full_with(batch)
        if is_last:
            self._begin_segment()
        self._disk.submit(
            partial(file.write, batch), partial(self._wrote, file, index, batch, file.size, is_last)
        )

    def _tell_at_once(self) -> None:
        """Account for a batch that has nothing to write, if it has anything to account for."""
        if not self.batch.is_empty:
            batch, self.batch = self.batch, Batch()
            self._account(batch)

    def _wrote(
        self,
        file: SegmentFile,
        index: SegmentIndex,
        batch: Batch,
        at: int,
        is_last: bool,  # noqa: FBT001
        job: "Future[None]",
    ) -> None:
        self._is_writing = False
        error = job.exception()
        self._is_proven = error is None
        if error is None:
            index.note(batch, at, file.size)
            self._account(batch)
        if is_last:
            self._seal(file, index)
        if error is not None:
            self._lose(batch, error)
        self._look_again()
        if error is not None and not isinstance(error, OSError):
            raise error

    def _account(self, batch: Batch) -> None:
        batch.discard()
        for outlet, portion in batch.portions.items():
            outlet.written(portion)
        for told in batch.told:
            told(None)
        batch.forget()

    def _look_again(self) -> None:
        batch = self.batch
        if self._is_urgent or batch.size >= HAND_OVER_BYTES or batch.pipes >= _HAND_OVER_PIPES:
            self._hand_over()
        elif not batch.is_empty:
            self._gathering.flush_after(HAND_OVER_S)

    def _lose(self, batch: Batch, error: BaseException) -> None:
        """Give up a batch, and what has come since; go on in a new segment."""
        since, self.batch = self.batch, Batch()
        since.close()
        self._end_segment()
        why = name_failure(error) if isinstance(error, OSError) else f"internal_error: {error}"
        told_error = error if isinstance(error, OSError) else OSError(errno.EIO, str(error))
        for lost in (batch, since):
            lost.discard()
            for outlet, portion in lost.portions.items():
                outlet.lost(portion, why)
            for told in lost.told:
                told(told_error)
            lost.forget()

    def _is_full_with(self, batch: Batch) -> bool:
        return (
            self._file.size + batch.size >= self._options.segment_bytes
            or self._index.count >= _MOST_CONNECTIONS
            or self._reactor.now_s - (self._began_s or 0.0) >= self._options.segment_age_s
        )

    def _has_aged(self) -> None:
        """End a segment that nothing comes into any more; else its next block is the last."""
        if not self.is_busy:
            self._end_segment()

    def _end_segment(self) -> None:
        file, index = self._file, self._index
        self._begin_segment()
        self._seal(file, index)

    def _begin_segment(self) -> None:
        self.segment += 1
        if self.batch.is_empty:  # it is not where a disk hangs at the end, and nothing follows
            self.batch = Batch()  # streams that have joined one know that its segment is theirs
        self._file = SegmentFile(self._directory, self._writer, self.segment)
        self._index = SegmentIndex()
        self._began_s = None
        self._ageing.cancel()

    def _seal(self, file: SegmentFile, index: SegmentIndex) -> None:
        self._disk.submit(lambda: file.seal(index.encode()), self._sealed)

    def _sealed(self, job: "Future[OSError | None]") -> None:
        error = job.exception()
        event = "segment_not_sealed" if error is not None else "segment_without_index"
        error = error or job.result()
        if isinstance(error, OSError):
            self._log.warning(event, reason=name_failure(error), error=str(error))
        elif error is not None:
            raise error

    def wind_up(self) -> None:
        """End the segment, if nothing is to be written; whoever waits looks at the disk's jobs."""
        if not self.is_busy and self._began_s is not None:
            self._end_segment()

    def close(self) -> None:
        """Write what waits, and end the segment; waits for the disk, within bounds."""
        self._is_urgent = True
        self._hand_over()
        self._disk.finish()
        self._end_segment()
        self._disk.finish()
        self._gathering.cancel()
