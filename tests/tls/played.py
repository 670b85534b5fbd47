"""A TLS socket that a test plays a peer with, as it does with a plain one."""

import socket
import ssl
import struct
from contextlib import suppress

import trio
import trio.lowlevel

from spliceproxy.tls.tls_socket import TlsSocket
from tests.tls.certificates import client_context, server_context

_TICKETS_BYTES = 1024


class PlayedTls(TlsSocket):
    """Returns no more than it was asked for, and says goodbye when it is closed."""

    __slots__ = ("_left",)

    def __init__(
        self,
        sock: socket.SocketType,
        *,
        server_side: bool,
        context: ssl.SSLContext | None = None,
        name: str = "localhost",
    ) -> None:
        context = context or (server_context() if server_side else client_context())
        asked = None if server_side else name
        super().__init__(sock, context, server_side=server_side, server_hostname=asked)
        self._left = b""

    @property
    def encrypted_bytes(self) -> int:
        """What `send` has not told of, and has encrypted: it is sent by all means."""
        return self._owed_bytes

    async def shake_hands(self) -> None:
        while self.advance():
            await trio.lowlevel.wait_readable(self.fileno())

    def recv(self, count: int, flags: int = 0) -> bytes:
        received = self._left or super().recv(count, flags)
        self._left = received[count:]
        return received[:count]

    def shutdown(self, how: int) -> None:
        if not self.say_goodbye():
            trio.lowlevel.spawn_system_task(self._finish)

    def shutdown_tls(self) -> None:
        """End the stream of TLS, and not that of TCP, which may stay open for long."""
        self._is_shut = True
        self.shutdown(socket.SHUT_WR)

    async def _finish(self) -> None:
        with suppress(OSError):
            while self.fileno() >= 0 and not self.say_goodbye():
                await trio.lowlevel.wait_writable(self.fileno())

    def close(self) -> None:
        """Close in a FIN: tickets that nobody has read would make it a reset."""
        if self.fileno() >= 0 and not self._resets():
            with suppress(OSError):
                self.say_goodbye()
                socket.SocketType.recv(self, _TICKETS_BYTES)
        super().close()

    def _resets(self) -> bool:
        asked = self.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        return struct.unpack("ii", asked) == (1, 0)
