"""What is sent: a range of a file, or of data that is made up."""

import os
import random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from spliceproxy.errors import UsageProblem, quote
from spliceproxy.kernel.sockets import Socket
from tools.companions.techniques.advice import Advice, AdvisedSender
from tools.companions.techniques.opening import open_sender
from tools.companions.techniques.sender import FileSender, Method

GENERATED_BLOCK_BYTES = 16 << 20
"""Generated data repeats after this: more than the processor's caches hold, little memory."""


@dataclass(frozen=True)
class Technique:
    """How bytes go from the file to a socket."""

    method: Method
    gift: bool
    buffer_bytes: int
    advice: frozenset[Advice] = frozenset()

    def open(self, file_fd: int, offset: int, length: int) -> FileSender:
        sender = open_sender(
            self.method, file_fd, offset, length, buffer_bytes=self.buffer_bytes, gift=self.gift
        )
        return AdvisedSender(sender, self.advice, file_fd, offset) if self.advice else sender


@dataclass(frozen=True)
class Source:
    """An open file of `size_bytes`; generated data is the same file over and over."""

    file_fd: int
    size_bytes: int
    block_bytes: int

    def open_sender(self, technique: Technique, offset: int, length: int) -> FileSender:
        """Make what sends a range of it."""
        if self.block_bytes == self.size_bytes:
            return technique.open(self.file_fd, offset, length)
        return RepeatingSender(technique, self, offset, length)


class RepeatingSender:
    """Sends a range of endlessly repeated blocks, a sender for each piece of a block."""

    def __init__(self, technique: Technique, source: Source, offset: int, length: int) -> None:
        self._technique = technique
        self._source = source
        self._end = offset + length
        self._later_bytes = length
        self._current = self._open_next()

    @property
    def left_bytes(self) -> int:
        return self._current.left_bytes + self._later_bytes

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        if not self._current.left_bytes:
            self._current.close()
            self._current = self._open_next()
        return self._current.send_some(sock, limit_bytes)

    def _open_next(self) -> FileSender:
        block_bytes = self._source.block_bytes
        offset = (self._end - self._later_bytes) % block_bytes
        length = min(block_bytes - offset, self._later_bytes)
        sender = self._technique.open(self._source.file_fd, offset, length)
        self._later_bytes -= length
        return sender

    def close(self) -> None:
        self._current.close()


@contextmanager
def open_file(path: Path) -> Iterator[Source]:
    """Open a regular file.

    Raises:
        UsageProblem: it cannot be read, or has no offsets to read at.
    """
    try:
        # A FIFO would wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        problem = f"cannot read {quote(str(path))}: {error.strerror}"
        raise UsageProblem(problem, "name a file that you may read") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise UsageProblem(
                f"{quote(str(path))} is not a regular file", "save it to a file first, or use split"
            )
        os.set_blocking(fd, True)
        yield Source(fd, status.st_size, status.st_size)
    finally:
        os.close(fd)


@contextmanager
def generate(size_bytes: int) -> Iterator[Source]:
    """Make data up, the same for the same size: random blocks, repeated."""
    block_bytes = min(size_bytes, GENERATED_BLOCK_BYTES)
    fd = os.memfd_create("generated", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(random.Random(0).randbytes(block_bytes))  # noqa: S311 - nothing secret
        yield Source(fd, size_bytes, block_bytes)
    finally:
        os.close(fd)


def cut(size_bytes: int, offset: int, length: int | None) -> int:
    """Return how many bytes of a source of that size are to be sent.

    Raises:
        UsageProblem: the range is not inside the source.
    """
    there_bytes = size_bytes - offset
    if there_bytes < 0:
        raise UsageProblem(
            f"offset {offset} is behind the end, at {size_bytes}", "take a smaller --offset"
        )
    if length is not None and length > there_bytes:
        raise UsageProblem(
            f"there are {there_bytes} bytes from offset {offset} on, not {length}",
            "take a smaller --length, or none",
        )
    return there_bytes if length is None else length


def slices(offset: int, length: int, count: int) -> list[tuple[int, int]]:
    """Cut a range into `count` parts that differ by a byte at most: (offset, length) of each."""
    edges = [offset + length * number // count for number in range(count + 1)]
    return [(edge, following - edge) for edge, following in pairwise(edges)]
