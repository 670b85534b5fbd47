"""vmsplice(2): read into memory, then give references to that memory to a pipe. One copy."""

import mmap
import os

from spliceproxy.kernel import page_syscalls, syscalls
from tools.companions.techniques.piped import PipedSender
from tools.companions.techniques.sender import FileShrunkError


class VmspliceSender(PipedSender):
    """Fresh memory for each piece: once in the pipe, it is unmapped and cannot be touched again.

    No buffer is used twice, because nothing tells when that would be safe. "The socket took it" is
    too early, and so is "the peer acknowledged it" when the peer is on this machine: its receive
    queue refers to the very same pages until they are read.
    """

    def __init__(
        self, file_fd: int, offset: int, length: int, buffer_bytes: int, *, gift: bool
    ) -> None:
        super().__init__(file_fd, offset, length, buffer_bytes)
        self._gift = gift

    def _fill(self, count: int) -> int:
        with mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            read = os.preadv(self._file_fd, [memory], self._offset)
            if not read:
                raise FileShrunkError(self._offset, self.left_bytes)
            return page_syscalls.vmsplice(self._pipe.write_fd, memory, 0, read, self._flags(read))

    def _flags(self, count: int) -> int:
        # A gift is whole pages: aligned in memory and in length (vmsplice(2)).
        if self._gift and count % page_syscalls.PAGE_BYTES == 0:
            return syscalls.SPLICE_NONBLOCK | page_syscalls.SPLICE_F_GIFT
        return syscalls.SPLICE_NONBLOCK
