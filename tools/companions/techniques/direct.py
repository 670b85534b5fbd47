"""O_DIRECT (open(2)): from the disk into a buffer, past the page cache, and on to the socket."""

import errno
import fcntl
import mmap
import os

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import Socket
from tools.companions.techniques.sender import FileShrunkError

# Memory, offset and length are to be multiples of the device's logical block, 512 or 4,096 bytes.
ALIGNMENT_BYTES = 4096


def set_direct(file_fd: int) -> bool:
    """Have an open file read past the page cache; False where its file system has no such reads.

    The flag is the open file's: every duplicate of the descriptor has it too.
    """
    flags = fcntl.fcntl(file_fd, fcntl.F_GETFL)
    try:
        fcntl.fcntl(file_fd, fcntl.F_SETFL, flags | os.O_DIRECT)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    return True


def clear_direct(file_fd: int) -> None:
    """Have an open file read by way of the page cache again."""
    flags = fcntl.fcntl(file_fd, fcntl.F_GETFL)
    fcntl.fcntl(file_fd, fcntl.F_SETFL, flags & ~os.O_DIRECT)


class DirectSender:
    """Reads aligned blocks into a buffer of its own; a read always waits for the disk.

    A driver that has threads calls `read` in one whenever nothing is held. Otherwise `send_some`
    reads by itself.
    """

    def __init__(self, file_fd: int, offset: int, length: int, buffer_bytes: int) -> None:
        self.left_bytes = length
        self._file_fd = file_fd
        self._offset = offset
        blocks = max(1, buffer_bytes // ALIGNMENT_BYTES)
        self._buffer = memoryview(mmap.mmap(-1, blocks * ALIGNMENT_BYTES))  # begins on a page
        self._unsent = self._buffer[:0]

    @property
    def held_bytes(self) -> int:
        """How much can be sent without a read."""
        return len(self._unsent)

    def read(self) -> None:
        """Wait for the next blocks.

        Some file systems take the flag and refuse the read (EINVAL), or want a larger alignment:
        then the rest comes by way of the page cache.

        Raises:
            FileShrunkError: the file ends here.
            OSError: as pread(2).
        """
        skipped = self._offset % ALIGNMENT_BYTES
        wanted = min(len(self._buffer), skipped + self.left_bytes)
        wanted += -wanted % ALIGNMENT_BYTES
        piece = [self._buffer[:wanted]]
        try:
            count = os.preadv(self._file_fd, piece, self._offset - skipped)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            clear_direct(self._file_fd)
            count = os.preadv(self._file_fd, piece, self._offset - skipped)
        self._unsent = self._buffer[skipped : min(count, skipped + self.left_bytes)]
        if not self._unsent:
            raise FileShrunkError(self._offset, self.left_bytes)

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        if not self._unsent:
            self.read()
        taken = syscalls.send(sock, self._unsent[:limit_bytes])
        self._unsent = self._unsent[taken:]
        self._offset += taken
        self.left_bytes -= taken
        return taken

    def close(self) -> None:
        self._unsent = self._buffer = memoryview(b"")
