"""splice(2): references to the file's pages go into a pipe, and from there into the socket."""

from spliceproxy.kernel import syscalls
from tools.companions.techniques.piped import PipedSender
from tools.companions.techniques.sender import FileShrunkError


class SpliceSender(PipedSender):
    """Two system calls for each piece, and a pipe whose size is the caller's choice."""

    def _fill(self, count: int) -> int:
        # Short where the range starts within a page: that page takes a slot of its own.
        given = syscalls.splice(
            self._file_fd, self._pipe.write_fd, count, self._offset, None, syscalls.SPLICE_NONBLOCK
        )
        if not given:
            raise FileShrunkError(self._offset, self.left_bytes)
        return given
