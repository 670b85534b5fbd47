"""posix_fadvise(2) around a sender: what the kernel is told about the pages of a range."""

import os
from typing import Literal, get_args

from spliceproxy.kernel.sockets import Socket
from tools.companions.techniques.sender import FileSender

Advice = Literal["sequential", "willneed", "dontneed"]
ADVICE: tuple[Advice, ...] = get_args(Advice)

DROP_INTERVAL_BYTES = 4 << 20
"""Pages are dropped behind the sender after so much."""


class AdvisedSender:
    """Advises before the first piece, and drops what is behind.

    `sequential` doubles how far the kernel reads ahead of this open file, `willneed` starts to
    read the range in, `dontneed` takes pages out of the cache, for all who use the file. Those
    that a socket or a pipe still refers to stay; so each time all is dropped from the beginning,
    and once more when the sender is closed.
    """

    def __init__(
        self, sender: FileSender, advice: frozenset[Advice], file_fd: int, offset: int
    ) -> None:
        self._sender = sender
        self._file_fd = file_fd
        self._offset = offset
        self._drops = "dontneed" in advice
        self._undropped_bytes = 0
        self._taken_bytes = 0
        if "sequential" in advice:
            os.posix_fadvise(file_fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        if "willneed" in advice and sender.left_bytes:
            os.posix_fadvise(file_fd, offset, sender.left_bytes, os.POSIX_FADV_WILLNEED)

    @property
    def left_bytes(self) -> int:
        return self._sender.left_bytes

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        taken = self._sender.send_some(sock, limit_bytes)
        if self._drops:
            self._taken_bytes += taken
            self._undropped_bytes += taken
            if self._undropped_bytes >= DROP_INTERVAL_BYTES:
                self._drop()
        return taken

    def _drop(self) -> None:
        self._undropped_bytes = 0
        if self._taken_bytes:  # a length of 0 means up to the file's end
            os.posix_fadvise(self._file_fd, self._offset, self._taken_bytes, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """Close the sender first: its map would hold the pages."""
        self._sender.close()
        if self._drops:
            self._drop()
