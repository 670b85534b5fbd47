"""Sending messages to a syslog daemon, one a datagram, without ever waiting for it."""

import socket


class SyslogOutlet:
    """A datagram socket; all processes that are forked later share it."""

    chunk_bytes = 0

    def __init__(self, family: int, address: tuple[object, ...] | str) -> None:
        self._address = address
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self.fd = self._socket.fileno()
        try:
            self._socket.connect(address)
        except OSError:
            self.close()
            raise

    def send(self, chunk: bytes) -> int:
        """Send a message.

        Over a unix socket the daemon's slowness is seen (BlockingIOError), and so is its end. One
        that has been started again has a new socket of the same name, so the name is asked again.
        Over UDP the kernel tells of a host that refuses, some datagrams later, and of nothing else.
        """
        try:
            return self._send(chunk)
        except BlockingIOError:
            raise
        except OSError:
            if self._socket.family != socket.AF_UNIX:
                raise
            self._socket.connect(self._address)
            return self._send(chunk)

    def _send(self, chunk: bytes) -> int:
        return self._socket.send(chunk, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def close(self) -> None:
        """Close the socket; later sends meet EBADF."""
        self._socket.close()
        self.fd = -1
