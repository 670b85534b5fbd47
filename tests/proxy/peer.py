"""One end of a connection, played by a test."""

import errno
import random
import socket
import ssl
from typing import Literal

import trio
import trio.lowlevel

from tests.streams import RESET_ON_CLOSE, Buffers
from tests.tls.played import PlayedTls

End = Literal["eof", "reset"]
"""How the other side's stream ended, as this side can see it."""


class Peer:
    """A socket whose every step the test decides; it remembers a reset that it has met."""

    def __init__(self, sock: socket.SocketType) -> None:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.was_reset = False

    async def speak_tls(
        self,
        *,
        server_side: bool,
        context: ssl.SSLContext | None = None,
        name: str = "localhost",
    ) -> None:
        """From now on what is sent is encrypted, and what is received decrypted."""
        self.sock = played = PlayedTls(
            self.sock, server_side=server_side, context=context, name=name
        )
        await played.shake_hands()

    @property
    def speaks_tls(self) -> bool:
        return isinstance(self.sock, PlayedTls)

    @property
    def encrypted_bytes(self) -> int:
        """What is on its way beside that of which sending has told: a part of a record."""
        return self.sock.encrypted_bytes if isinstance(self.sock, PlayedTls) else 0

    async def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            sent = self.send_some(view)
            if not sent:
                await trio.lowlevel.wait_writable(self.sock)
            view = view[sent:]

    def send_some(self, data: bytes | memoryview) -> int:
        """Send what there is room for, at once; a reset is remembered and raised."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except ConnectionError:
            self.was_reset = True
            raise

    async def send_in_chunks(self, data: bytes, chunks: random.Random, largest: int) -> None:
        """Send in chunks of random sizes, which the other side sees as separate arrivals."""
        sent = 0
        while sent < len(data):
            size = min(largest, int(2 ** chunks.uniform(0, largest.bit_length())))
            await self.send(data[sent : sent + size])
            sent += size
            await trio.lowlevel.checkpoint()

    def send_urgent(self, byte: bytes) -> None:
        """Send it out of band, which is outside of TLS."""
        socket.SocketType.send(self.sock, byte, socket.MSG_OOB)

    async def receive_some(self, most: int = 1 << 20) -> bytes:
        """What has arrived, after waiting for it; empty at the end of the stream."""
        while True:
            try:
                return self.sock.recv(most)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self.sock)
            except ConnectionError:
                self.was_reset = True
                raise

    async def receive_exactly(self, count: int) -> bytes:
        received = bytearray()
        while len(received) < count:
            chunk = await self.receive_some(count - len(received))
            assert chunk, f"the end came after {len(received)} of {count} bytes"
            received += chunk
        return bytes(received)

    async def receive_rest(self, *, may_be_alerted: bool = False) -> tuple[bytes, End]:
        """All bytes to come, and how the stream ends; an alert by TLS comes before a reset."""
        received = bytearray()
        try:
            while chunk := await self.receive_some():
                received += chunk
        except OSError as error:  # by TLS also when the reset was told of before
            self.was_reset |= may_be_alerted and error.errno == errno.EBADMSG
            if not self.was_reset:
                raise
        return bytes(received), "reset" if self.was_reset else "eof"

    def finish(self) -> None:
        """Send nothing more."""
        self.sock.shutdown(socket.SHUT_WR)

    def finish_tls(self) -> None:
        """Send nothing more, which TCP does not tell."""
        assert isinstance(self.sock, PlayedTls)
        self.sock.shutdown_tls()

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        if self.sock.fileno() >= 0 and self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.sock.close()

    @property
    def is_closed(self) -> bool:
        return self.sock.fileno() < 0


async def open_peer(
    address: tuple[str, int] | str, buffers: Buffers, source: str | None = None
) -> Peer:
    """Connect, from an address if one is given."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    buffers.apply(sock)
    if source is not None:
        sock.bind((source, 0))
    peer = Peer(sock)
    try:
        sock.connect(address)
    except BlockingIOError:
        await trio.lowlevel.wait_writable(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert error in {0, errno.ECONNRESET}
        peer.was_reset = error == errno.ECONNRESET  # asking has taken it away
    return peer


class Acceptor:
    """A backend that is played by hand."""

    def __init__(self, address: tuple[str, int] | str, buffers: Buffers, backlog: int) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._buffers = buffers
        buffers.apply(self.sock)
        self.sock.bind(address)
        self.sock.listen(backlog)
        self.sock.setblocking(False)
        self.address: tuple[str, int] | str = self.sock.getsockname()

    async def accept(self) -> Peer:
        while True:
            try:
                sock, _ = self.sock.accept()
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self.sock)
            else:
                self._buffers.apply(sock)
                return Peer(sock)

    def close(self) -> None:
        self.sock.close()
