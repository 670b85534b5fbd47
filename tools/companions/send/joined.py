"""Several files as one source, one behind the other."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from spliceproxy.kernel.sockets import Socket
from tools.companions.send.source import Source, Technique, open_file
from tools.companions.techniques.sender import FileSender


@dataclass(frozen=True)
class JoinedFiles:
    """What is sent of it is numbered from the first file's beginning."""

    sources: Sequence[Source]

    @property
    def size_bytes(self) -> int:
        return sum(source.size_bytes for source in self.sources)

    def open_sender(self, technique: Technique, offset: int, length: int) -> FileSender:
        """Make what sends a range of them."""
        return ChainedSender(technique, list(self._parts(offset, offset + length)))

    def _parts(self, start: int, end: int) -> Iterator[tuple[Source, int, int]]:
        """Yield each file that the range touches, with the range's part of it: offset, length."""
        ends = accumulate(source.size_bytes for source in self.sources)
        for source, file_end in zip(self.sources, ends, strict=True):
            file_start = file_end - source.size_bytes
            first, last = max(start, file_start), min(end, file_end)
            if first < last:
                yield source, first - file_start, last - first


class ChainedSender:
    """Sends parts of files in their order, with a sender for one of them at a time."""

    def __init__(self, technique: Technique, parts: list[tuple[Source, int, int]]) -> None:
        self._technique = technique
        self._parts = parts[::-1]
        self._current: FileSender | None = None
        self._later_bytes = sum(length for _source, _offset, length in parts)

    @property
    def left_bytes(self) -> int:
        return self._later_bytes + (self._current.left_bytes if self._current else 0)

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        if self._current is None or not self._current.left_bytes:
            self.close()
            source, offset, length = self._parts.pop()
            self._current = source.open_sender(self._technique, offset, length)
            self._later_bytes -= length
        return self._current.send_some(sock, limit_bytes)

    def close(self) -> None:
        if self._current is not None:
            self._current.close()
            self._current = None


@contextmanager
def open_files(paths: Sequence[Path]) -> Iterator[Source | JoinedFiles]:
    """Open regular files.

    Raises:
        UsageProblem: one of them cannot be read, or has no offsets to read at.
    """
    with ExitStack() as stack:
        sources = [stack.enter_context(open_file(path)) for path in paths]
        yield sources[0] if len(sources) == 1 else JoinedFiles(sources)
