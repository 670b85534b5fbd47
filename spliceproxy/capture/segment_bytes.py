"""The bytes of a segment, as its writer has written them: from the file, or out of zstd frames."""

import errno
import os
from abc import ABC, abstractmethod
from pathlib import Path

from spliceproxy.formats.capture.compressed import (
    FOOTER_BYTES,
    MOST_STORED_BYTES,
    FrameTable,
    StoredFrame,
    decode_table,
    table_bytes,
)
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.zstd import BadFrameError, open_zstd
from spliceproxy.formats.zstd_frame import NoFrameError, ZstdFrame, measure_frame


class SegmentBytes(ABC):
    """Has the file open; offsets are those of the segment, whether it is compressed or not."""

    is_cut = False
    """The end of it is not there, though nobody writes it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @abstractmethod
    def read(self, size: int, at: int) -> bytes:
        """Return the bytes there, at least one if there are any.

        Raises:
            OSError: they cannot be read.
        """

    @property
    @abstractmethod
    def length(self) -> int:
        """How long the segment is by now."""

    @property
    def stored_bytes(self) -> int:
        """How long the file is."""
        return os.fstat(self._fd).st_size

    def fileno(self) -> int:
        """Return the file's descriptor."""
        return self._fd

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class PlainBytes(SegmentBytes):
    """A file that is the segment; it may grow."""

    def read(self, size: int, at: int) -> bytes:
        """See `SegmentBytes.read`."""
        return os.pread(self._fd, size, at)

    @property
    def length(self) -> int:
        """See `SegmentBytes.length`."""
        return self.stored_bytes


class CompressedBytes(SegmentBytes):
    """Holds one frame at a time, and the table of all."""

    def __init__(self, fd: int, path: Path) -> None:
        """Read the table; without one that can be read, look where the frames are.

        Raises:
            NoZstdProblem: there is no library for it.
            OSError: the file cannot be read.
        """
        super().__init__(fd)
        self._zstd = open_zstd(f"{path}: to decompress it")
        try:
            self._table = self._read_table()
        except ValueError:
            self._table = self._find_frames()
            self.is_cut = True
        self._frame: StoredFrame | None = None
        self._content = b""

    def _read_table(self) -> FrameTable:
        size = self.stored_bytes
        footer = os.pread(self._fd, FOOTER_BYTES, max(0, size - FOOTER_BYTES))
        stored_bytes = size - table_bytes(footer)
        if stored_bytes < 0:
            raise ValueError("a table that is longer than the file")
        return decode_table(os.pread(self._fd, size - stored_bytes, stored_bytes), stored_bytes)

    def _find_frames(self) -> FrameTable:
        """Return those that are whole, and follow one another from the beginning on."""
        table = FrameTable()
        data, at = b"", 0
        while True:
            try:
                frame = measure_frame(data, at)
                if isinstance(frame, ZstdFrame):
                    table.add(frame.stored_bytes, frame.content_bytes)
                    at += frame.stored_bytes
                    continue
            except ValueError:
                return table
            if data and not at:  # it is not all there, or longer than any
                return table
            data, at = os.pread(self._fd, 2 * MOST_STORED_BYTES, table.stored_bytes), 0
            if not data:
                return table

    @property
    def length(self) -> int:
        """See `SegmentBytes.length`."""
        return self._table.content_bytes

    def read(self, size: int, at: int) -> bytes:
        """See `SegmentBytes.read`."""
        found = bytearray()
        while len(found) < size:
            frame = self._table.find(at + len(found))
            if frame is None:
                break
            try:
                self._load(frame)
            except OSError:
                if found:  # what is before it is there
                    break
                raise
            begin = at + len(found) - frame.content_at
            found += self._content[begin : begin + size - len(found)]
        return bytes(found)

    def _load(self, frame: StoredFrame) -> None:
        if frame == self._frame:
            return
        data = os.pread(self._fd, frame.stored_bytes, frame.stored_at)
        try:
            measured = measure_frame(data)
            if isinstance(measured, NeedMore) or measured.content_bytes != frame.content_bytes:
                raise BadFrameError("a frame of another length")
            self._content = self._zstd.decompress(data, frame.content_bytes)
        except (NoFrameError, BadFrameError):
            raise OSError(errno.EBADMSG, "what is compressed is damaged") from None
        self._frame = frame
