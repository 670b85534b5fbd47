"""The baseline: read a part of the file into memory, write it to the socket. Two copies."""

import os

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import Socket
from tools.companions.techniques.sender import FileShrunkError


class ReadWriteSender:
    """Copies by way of one buffer, which is read anew when the socket has taken all of it."""

    def __init__(self, file_fd: int, offset: int, length: int, buffer_bytes: int) -> None:
        self.left_bytes = length
        self._file_fd = file_fd
        self._offset = offset
        self._buffer = memoryview(bytearray(buffer_bytes))
        self._unsent = self._buffer[:0]

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        if not self._unsent:
            self._unsent = self._read()
        taken = syscalls.send(sock, self._unsent[:limit_bytes])
        self._unsent = self._unsent[taken:]
        self._offset += taken
        self.left_bytes -= taken
        return taken

    def _read(self) -> memoryview:
        count = os.preadv(self._file_fd, [self._buffer[: self.left_bytes]], self._offset)
        if not count:
            raise FileShrunkError(self._offset, self.left_bytes)
        return self._buffer[:count]

    def close(self) -> None:
        self._unsent = self._buffer = memoryview(b"")
