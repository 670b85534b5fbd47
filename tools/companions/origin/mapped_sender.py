"""Sending from a shared map: send(2) copies straight from the page cache."""

import errno
import os
import socket

from spliceproxy.kernel.sockets import Socket
from tools.companions.origin.answer import OpenFile
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.ranges import ByteRange
from tools.companions.techniques.sender import FileShrunkError


class MappedSender:
    """A part of a file on its way out of the map that the cache lends."""

    def __init__(self, cache: FileCache, file: OpenFile, part: ByteRange) -> None:
        self._cache = cache
        self._file = file
        self._map = cache.borrow(file)
        self._next = part.offset
        self.left_bytes = part.length

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        """Send up to so many bytes; how many the socket took.

        Of a file that has shrunk, pages that are gone make send(2) fail with EFAULT, but the rest
        of its last page reads as zeros (mmap(2)). So its size is asked at every turn.

        Raises:
            BlockingIOError: the socket has no room.
            FileShrunkError: the file is smaller than it was.
        """
        if os.fstat(self._file.fd).st_size < self._file.version.size_bytes:
            raise FileShrunkError(self._next, self.left_bytes)
        end = self._next + min(limit_bytes, self.left_bytes)
        try:
            with self._map.view[self._next : end] as chunk:
                sent = sock.send(chunk, socket.MSG_NOSIGNAL)
        except OSError as error:
            if error.errno == errno.EFAULT:
                raise FileShrunkError(self._next, self.left_bytes) from error
            raise
        self._next += sent
        self.left_bytes -= sent
        return sent

    def close(self) -> None:
        """Give the map back."""
        self._cache.give_back(self._map)
