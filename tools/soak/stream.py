"""A TCP stream that resets unless it was ended on purpose, as the proxy's own sockets do.

So the kernel tells a program that was killed from one that has finished: an end of stream that
comes too early is always somebody's mistake.
"""

import hashlib
import socket
import struct
from types import TracebackType
from typing import Self

import trio

from tools.demo.payload import BLOCK_BYTES, blocks
from tools.soak.addresses import Address
from tools.soak.exchange import MAX_HEADER_BYTES

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_FINISH_ON_CLOSE = struct.pack("ii", 0, 0)


def reset_on_close(sock: trio.socket.SocketType) -> None:
    """Have a close end in a reset; a listener hands that on to what it accepts."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


class EarlyEndError(Exception):
    """The stream has ended in an orderly way before all of it was there."""

    def __init__(self) -> None:
        super().__init__("an orderly end, too early")


class Stream:
    """Sends and takes counted bytes. Closing it resets, unless `finish` was called."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._sock = sock
        self._pending = bytearray()
        self.sent_bytes = 0
        self.received_bytes = 0
        reset_on_close(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._sock.close()

    async def connect(self, host: str, to: Address) -> None:
        """Connect from that host.

        Raises:
            OSError: it was refused, or reset at once.
        """
        await self._sock.bind((host, 0))
        await self._sock.connect((to.host, to.port))

    async def send(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            sent_bytes = await self._sock.send(view)
            self.sent_bytes += sent_bytes
            view = view[sent_bytes:]

    async def send_body(self, total_bytes: int, seed: int) -> None:
        for block in blocks(total_bytes, seed):
            await self.send(block)

    def end(self) -> None:
        """End this side's stream; the other one goes on."""
        self._sock.shutdown(socket.SHUT_WR)

    def finish(self) -> None:
        """Have the close end in a FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FINISH_ON_CLOSE)

    async def _receive(self, most_bytes: int = BLOCK_BYTES) -> bytes:
        received = await self._sock.recv(min(most_bytes, BLOCK_BYTES))
        self.received_bytes += len(received)
        return received

    async def line(self) -> bytes:
        """Return the next line with its end, or b"" when the stream has ended.

        Raises:
            EarlyEndError: it has ended within a line.
            ValueError: the line is too long.
        """
        while b"\n" not in self._pending:
            if len(self._pending) > MAX_HEADER_BYTES:
                raise ValueError("the line is too long")
            if not (received := await self._receive()):
                if self._pending:
                    raise EarlyEndError
                return b""
            self._pending += received
        line, newline, self._pending = self._pending.partition(b"\n")
        return bytes(line + newline)

    async def body_sha256(self, total_bytes: int) -> str:
        """Take so many bytes and return their digest.

        Raises:
            EarlyEndError: the stream has ended before.
        """
        digest = hashlib.sha256(self._pending[:total_bytes])
        left_bytes = total_bytes - len(self._pending[:total_bytes])
        del self._pending[:total_bytes]
        while left_bytes:
            if not (received := await self._receive(left_bytes)):
                raise EarlyEndError
            digest.update(received)
            left_bytes -= len(received)
        return digest.hexdigest()

    async def has_ended(self) -> bool:
        """Wait for the stream's end; False: more bytes have come instead."""
        return not self._pending and not await self._receive()
