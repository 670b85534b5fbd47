"""The file of one stream of a `file:` mirror, which ends in ``.part`` until the stream is over."""

import os
from concurrent.futures import Future
from dataclasses import dataclass

from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.file_directory import FileDirectory, name_failure
from spliceproxy.sinks.file_names import INCOMPLETE_SUFFIX, PART_SUFFIX
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.tap.chunk import Chunk

_HAND_OVER_BYTES = 256 << 10
_HAND_OVER_S = 0.1
"""Handing work to a thread and back costs more than a small message: it is done for so many
bytes, or when the first of them is so old."""


@dataclass(slots=True)
class _Written:
    count: int = 0
    error: Exception | None = None


class FileOutlet(Outlet):
    """Writes one stream to a file, in a thread, each byte at its offset in the stream."""

    gather_bytes, gather_s = _HAND_OVER_BYTES, _HAND_OVER_S

    def __init__(
        self, branch: Branch, disk: Disk, directory: FileDirectory, connection: str
    ) -> None:
        self._branch = branch
        self._disk = disk
        self._directory = directory
        self._connection = connection
        self._name = f"{connection}-{branch.direction}"
        self._part = self._name + PART_SUFFIX
        self._fd: int | None = None
        self._position = 0  # in the file, as in the stream
        self._batch: list[Chunk] = []  # in the thread's hands
        self._busy = False
        self._finishing = False
        self._cut = False
        self._completing = False
        self._final = self._name

    def start(self) -> None:
        """Create the file now if there is to be no traffic without it, else with its first bytes.

        One that stays empty is removed in the end.
        """
        if self._branch.vital and not self._finishing:
            self._busy = True
            self._disk.submit(self._write, self._wrote)

    def flush(self) -> None:
        """Hand the queue to the thread if it is worth it, else soon."""
        if not self._busy and self._branch.queue:
            self._hand_over()

    def finish(self, *, clean: bool) -> None:
        """Write what is queued, then give the file its name."""
        self._finishing = True
        if not self._busy:
            self._hand_over()

    def cut(self) -> None:
        """Keep what is written; the thread may still be writing, and is waited for."""
        self._cut = True
        self._finishing = True
        if not self._busy:
            self._complete()

    def _hand_over(self) -> None:
        self._batch = list(self._branch.queue)
        self._branch.queue.clear()
        if not self._batch:
            self._complete()
            return
        self._busy = True
        self._disk.submit(self._write, self._wrote)

    def _write(self) -> _Written:
        """In a thread: write the batch, each chunk at its offset."""
        written = _Written()
        try:
            if self._fd is None:
                self._fd = self._directory.create(self._connection, self._part)
            else:
                self._directory.admit()
            for chunk in self._batch:
                if chunk.offset != self._position:
                    os.lseek(self._fd, chunk.offset, os.SEEK_SET)
                while chunk.size:
                    written.count += chunk.write_to(self._fd)
                self._position = chunk.offset
        except Exception as error:  # what nobody foresaw is raised when the bytes are accounted for
            self._position = -1
            written.error = error
        return written

    def _wrote(self, job: "Future[_Written]") -> None:
        self._busy = False
        written = job.result()
        batch, self._batch = self._batch, []
        left = [(chunk.offset, chunk.size) for chunk in batch if chunk.size]
        for chunk in batch:
            chunk.discard()
        self._branch.delivered(written.count)
        if written.error is not None:
            self._give_up(left, written.error)
        else:
            self._branch.opened()
        if self._cut or (self._finishing and not self._branch.queue):
            self._complete()
        elif self._finishing or self._branch.queued_bytes >= _HAND_OVER_BYTES:
            self.flush()
        else:
            self._branch.gather()
        _raise_unforeseen(written.error)

    def _give_up(self, left: list[tuple[int, int]], error: Exception) -> None:
        """Account for what could not be written; go on behind it if the policy is ``gap``."""
        why = _name(error)
        for offset, size in left:
            self._branch.skip(size, offset, why)
        if self._branch.settings.overflow != "gap":
            self._branch.fail(why)

    def _complete(self) -> None:
        """Give the file its name, in the thread, as the last job."""
        if self._completing:
            return
        self._busy = self._completing = True
        branch = self._branch
        if branch.reason or branch.dropped_bytes or branch.queued_bytes:
            self._final = self._name + INCOMPLETE_SUFFIX
        self._disk.submit(self._rename, self._completed)

    def _rename(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            if self._branch.offered_bytes:
                self._directory.rename(self._connection, self._part, self._final)
            else:
                self._directory.unlink(self._connection, self._part)

    def _completed(self, job: "Future[None]") -> None:
        error = job.exception()
        if error is not None:
            self._branch.reason = self._branch.reason or _name(error)
        self._branch.closed()
        _raise_unforeseen(error)


def _name(error: BaseException) -> str:
    return name_failure(error) if isinstance(error, OSError) else f"internal_error: {error}"


def _raise_unforeseen(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, OSError):
        raise error
