"""Where received bytes go: one class for each way out of a socket."""

import hashlib
import os
import socket
import stat
from typing import Protocol

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import FULL_CAPACITY_BYTES, Pipe
from tools.companions.shared.steps import drain, fill


class Receiver(Protocol):
    """Takes one stream."""

    def receive_some(self, sock: socket.socket, limit_bytes: int) -> int:
        """Take up to that many bytes; how many, 0 at the stream's end.

        Raises:
            BlockingIOError: nothing has arrived.
            OSError: the peer has reset, or the file takes no more.
        """

    @property
    def may_block(self) -> bool:
        """Whether a disk can hold a call up, so that it belongs into a thread."""

    @property
    def sha256(self) -> str:
        """The digest of what has been taken, or "" where the bytes are not looked at."""

    def close(self) -> None:
        """Release memory, pipes and files."""


class TruncatingReceiver:
    """Drops the bytes inside the kernel (MSG_TRUNC, tcp(7)): the cheapest way to be rid of them."""

    may_block = False
    sha256 = ""

    def __init__(self) -> None:
        self._untouched = bytearray(FULL_CAPACITY_BYTES)

    def receive_some(self, sock: socket.socket, limit_bytes: int) -> int:
        count = min(limit_bytes, len(self._untouched))
        return sock.recv_into(self._untouched, count, socket.MSG_TRUNC)

    def close(self) -> None:
        """Nothing is held."""


class SplicingReceiver:
    """Splices into a file or /dev/null by way of a pipe. The descriptor is closed with it."""

    sha256 = ""

    def __init__(self, file_fd: int) -> None:
        self._file_fd = file_fd
        self.may_block = stat.S_ISREG(os.fstat(file_fd).st_mode)
        self._pipe = Pipe(FULL_CAPACITY_BYTES)

    def receive_some(self, sock: socket.socket, limit_bytes: int) -> int:
        count = fill(self._pipe, sock, min(limit_bytes, FULL_CAPACITY_BYTES))
        held_bytes = count
        while held_bytes:
            held_bytes -= drain(self._pipe, self._file_fd, held_bytes)
        return count

    def close(self) -> None:
        self._pipe.close()
        os.close(self._file_fd)


class ReadingReceiver:
    """Reads into memory, hashes there, and writes to the file if there is one."""

    def __init__(self, file_fd: int | None) -> None:
        self._file_fd = file_fd
        self.may_block = file_fd is not None
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def receive_some(self, sock: socket.socket, limit_bytes: int) -> int:
        data = syscalls.receive(sock, min(limit_bytes, FULL_CAPACITY_BYTES))
        self._digest.update(data)
        if self._file_fd is not None:
            with memoryview(data) as left:
                written = 0
                while written < len(data):
                    written += os.write(self._file_fd, left[written:])
        return len(data)

    def close(self) -> None:
        if self._file_fd is not None:
            os.close(self._file_fd)
