"""What every technique promises, and their names."""

from typing import Literal, Protocol, get_args

from spliceproxy.kernel.sockets import Socket

Method = Literal["readwrite", "mmap", "sendfile", "splice", "vmsplice"]

METHODS: tuple[Method, ...] = get_args(Method)

DEFAULT_BUFFER_BYTES = 64 << 10


class FileShrunkError(Exception):
    """A file ends before the range that was to be sent; what it had has been sent."""

    def __init__(self, offset: int, left_bytes: int) -> None:
        super().__init__(f"the file ends at byte {offset:,}, with {left_bytes:,} bytes to send")
        self.offset = offset
        self.left_bytes = left_bytes


class FileSender(Protocol):
    """Sends one range of a file; its memory and pipes are its own, the file is the caller's."""

    @property
    def left_bytes(self) -> int:
        """How many bytes of the range no socket has taken."""

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        """Hand a non-blocking socket one piece of what is left; how many bytes it took.

        A piece has at least one byte and at most ``limit_bytes`` (1 or more), and is bounded by
        the buffer as well. Call this only while something is left.

        Raises:
            BlockingIOError: the socket is full; nothing is lost.
            FileShrunkError: the file ends here.
            OSError: as send(2) and read(2).
        """

    def close(self) -> None:
        """Release memory and pipes; bytes in them that no socket took are gone."""
