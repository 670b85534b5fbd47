"""sendfile(2): the kernel refers to the file's pages, by way of a pipe of its own."""

from spliceproxy.kernel import page_syscalls
from spliceproxy.kernel.sockets import Socket
from tools.companions.techniques.sender import FileShrunkError


class SendfileSender:
    """One system call for each piece; nothing is held in between.

    As with every technique that refers to pages: who overwrites the file, or cuts it within a
    page, changes what the socket has taken and the peer has not read yet.
    """

    def __init__(self, file_fd: int, offset: int, length: int, buffer_bytes: int) -> None:
        self.left_bytes = length
        self._file_fd = file_fd
        self._offset = offset
        self._buffer_bytes = buffer_bytes

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        count = min(limit_bytes, self._buffer_bytes, self.left_bytes)
        taken = page_syscalls.sendfile(sock.fileno(), self._file_fd, self._offset, count)
        if not taken:
            raise FileShrunkError(self._offset, self.left_bytes)
        self._offset += taken
        self.left_bytes -= taken
        return taken

    def close(self) -> None:
        """Nothing is held."""
