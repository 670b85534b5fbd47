"""Whole answers of small files in memory: header and body, ready to be sent."""

import os
import stat
import time
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus

from tools.companions.origin.answer import Answer
from tools.companions.origin.refusals import Refusal
from tools.companions.origin.root import Root
from tools.companions.origin.validators import FileVersion, format_date

_DATE_FIELD = b"\r\nDate: "
# A file that was written to so lately may be again without another mtime: the clock that stamps
# files ticks in milliseconds (inode(7)).
_SETTLED_AFTER_S = 1
_MOST_ANSWERS = 1000
_OVERHEAD_BYTES = 1000  # of an entry: its objects, and the header again


@dataclass(slots=True)
class CachedAnswer:
    """An answer, the file that it is of, and when that was looked at last."""

    target: bytes
    path: bytes
    version: FileVersion
    before_date: bytes
    after_date: bytes
    header_bytes: int
    whole: bytes
    checked_s: float
    dated_s: int = 0

    def date(self, second: int) -> None:
        """Have it say when it is sent. Its length stays: HTTP dates have one."""
        self.dated_s = second
        date = format_date(second).encode("ascii")
        body = memoryview(self.whole)[self.header_bytes :]
        self.whole = b"".join((self.before_date, date, self.after_date, body))


class AnswerCache:
    """Answers by the target of the request, the least recently used one dropped first.

    One is given as long as its path leads to the same file with the same mtime and size. That is
    looked at when an answer is asked for and the last look was `recheck_s` ago: 0 is every time.
    """

    def __init__(
        self, root: Root, *, capacity_bytes: int, largest_body_bytes: int, recheck_s: float
    ) -> None:
        self._root = root
        self._capacity_bytes = capacity_bytes
        self._largest_body_bytes = largest_body_bytes
        self._recheck_s = recheck_s
        self._answers: OrderedDict[bytes, CachedAnswer] = OrderedDict()
        self.held_bytes = 0

    def find(self, target: bytes) -> bytes | None:
        """Return the bytes of an answer 200 with today's date; None when there is none."""
        found = self._answers.get(target)
        if found is None:
            return None
        now_s = time.time()
        if not 0 <= now_s - found.checked_s < self._recheck_s:
            if self._version(found.path) != found.version:
                self._drop(target)
                return None
            found.checked_s = now_s
        self._answers.move_to_end(target)
        if found.dated_s != int(now_s):
            found.date(int(now_s))
        return found.whole

    def keep(self, target: bytes, answer: Answer, header: bytes) -> None:
        """Keep an answer that has been sent, if it is the whole of a small file.

        Not one with a query, of which there is no end, and not a file that is just written.
        """
        file, now_s = answer.file, time.time()
        if file is None or answer.status is not HTTPStatus.OK or b"?" in target:
            return
        version = file.version
        if version.size_bytes > self._largest_body_bytes:
            return
        if version.mtime_ns / 1e9 > now_s - _SETTLED_AFTER_S:
            return
        body = os.pread(file.fd, version.size_bytes, 0)
        if len(body) < version.size_bytes or FileVersion.of(os.fstat(file.fd)) != version:
            return
        before, field, dated = header.partition(_DATE_FIELD)
        _date, end_of_line, after = dated.partition(b"\r\n")
        self._add(
            CachedAnswer(
                target=target,
                path=file.path,
                version=version,
                before_date=before + field,
                after_date=end_of_line + after,
                header_bytes=len(header),
                whole=header + body,
                checked_s=now_s,
            )
        )

    def _add(self, answer: CachedAnswer) -> None:
        if answer.target in self._answers:
            self._drop(answer.target)
        self._answers[answer.target] = answer
        self.held_bytes += _size_bytes(answer)
        while self.held_bytes > self._capacity_bytes or len(self._answers) > _MOST_ANSWERS:
            self._drop(next(iter(self._answers)))

    def _drop(self, target: bytes) -> None:
        self.held_bytes -= _size_bytes(self._answers.pop(target))

    def _version(self, path: bytes) -> FileVersion | None:
        """Return what the path leads to now; None where a request would not be given it."""
        try:
            fd = self._root.open(path)
        except (Refusal, OSError):
            return None
        try:
            status = os.fstat(fd)
        finally:
            os.close(fd)
        return FileVersion.of(status) if stat.S_ISREG(status.st_mode) else None


def _size_bytes(answer: CachedAnswer) -> int:
    return _OVERHEAD_BYTES + len(answer.target) + len(answer.path) + len(answer.whole)
