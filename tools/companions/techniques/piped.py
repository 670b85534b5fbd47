"""What splice and vmsplice have in common: a pipe between the file and the socket."""

from abc import ABC, abstractmethod

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.page_syscalls import PAGE_BYTES
from spliceproxy.kernel.pipes import Pipe
from spliceproxy.kernel.sockets import Socket


class PipedSender(ABC):
    """Fills a pipe of its own only when it is empty; what a short drain left in it stays."""

    def __init__(self, file_fd: int, offset: int, length: int, buffer_bytes: int) -> None:
        self.left_bytes = length
        self._file_fd = file_fd
        self._offset = offset  # of the next fill
        self._buffer_bytes = buffer_bytes
        self._pipe = Pipe(buffer_bytes, max(buffer_bytes, PAGE_BYTES))
        self._in_pipe_bytes = 0

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        if not self._in_pipe_bytes:
            self._in_pipe_bytes = self._fill(min(self._buffer_bytes, self.left_bytes))
            self._offset += self._in_pipe_bytes
        # Never more than is in the pipe: `syscalls.splice` says why.
        count = min(limit_bytes, self._in_pipe_bytes)
        taken = syscalls.splice(
            self._pipe.read_fd, sock.fileno(), count, None, None, syscalls.SPLICE_NONBLOCK
        )
        self._in_pipe_bytes -= taken
        self.left_bytes -= taken
        return taken

    @abstractmethod
    def _fill(self, count: int) -> int:
        """Put up to ``count`` bytes of the file into the empty pipe; how many, at least one."""

    def close(self) -> None:
        self._pipe.close()
