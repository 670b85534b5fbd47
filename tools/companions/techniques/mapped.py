"""mmap(2) and send(2): the socket copies straight from the page cache. One copy."""

import errno
import mmap
import os

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import Socket
from tools.companions.techniques.sender import FileShrunkError


class MmapSender:
    """Sends from a read-only map of the range.

    A file that is cut under its map gives SIGBUS to who touches a lost page, but EFAULT to send(2),
    because it is the kernel that touches it (measured on Linux 6.18, TCP and unix sockets; even
    where the piece starts on a page that is still there). The last page is worse: behind the new
    end it reads as zeros. So the file's size is asked before each piece.
    """

    def __init__(self, file_fd: int, offset: int, length: int, buffer_bytes: int) -> None:
        self.left_bytes = length
        self._file_fd = file_fd
        self._offset = offset
        self._buffer_bytes = buffer_bytes
        self._map_start = offset - offset % mmap.ALLOCATIONGRANULARITY
        self._map_end = min(offset + length, os.fstat(file_fd).st_size)
        self._map: mmap.mmap | None = None
        if length and offset < self._map_end:
            map_bytes = self._map_end - self._map_start
            self._map = mmap.mmap(
                file_fd, map_bytes, access=mmap.ACCESS_READ, offset=self._map_start
            )

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        there_bytes = min(self._map_end, os.fstat(self._file_fd).st_size) - self._offset
        if self._map is None or there_bytes <= 0:
            raise FileShrunkError(self._offset, self.left_bytes)
        start = self._offset - self._map_start
        count = min(limit_bytes, self._buffer_bytes, there_bytes)
        with memoryview(self._map) as view, view[start : start + count] as piece:
            taken = self._send(sock, piece)
        self._offset += taken
        self.left_bytes -= taken
        return taken

    def _send(self, sock: Socket, piece: memoryview) -> int:
        try:
            return syscalls.send(sock, piece)
        except OSError as error:
            if error.errno == errno.EFAULT:  # cut since its size was asked
                raise FileShrunkError(self._offset, self.left_bytes) from None
            raise

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
