"""Where the connections of a replay go."""

import errno
import socket

import trio

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import pending_error

_BACKLOG_S = 0.010
"""There is no event for room in the backlog of a unix socket."""
_NO_TARGET = {
    errno.ECONNREFUSED: "refused",
    errno.ENOENT: "refused",  # of a unix socket
    errno.ETIMEDOUT: "connect_timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.ECONNRESET: "reset",
    errno.EACCES: "not_permitted",
    errno.EPERM: "not_permitted",
    errno.EADDRNOTAVAIL: "no_local_port",
    errno.EMFILE: "no_descriptor",
    errno.ENFILE: "no_descriptor",
}


class PlayFailedError(Exception):
    """A connection cannot be replayed, or not to its end; `reason` is its name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ReplayTarget:
    """Its addresses are looked up once."""

    def __init__(self, addresses: list[SocketAddress], timeout_s: float) -> None:
        self._addresses = addresses
        self._timeout_s = timeout_s

    async def connect(self) -> socket.socket:
        """Return a connected socket, which does not block.

        Raises:
            PlayFailedError: no address takes the connection.
        """
        reason = ""
        for address in list(self._addresses):
            try:
                sock = await self._connect_to(address)
            except OSError as problem:
                number = problem.errno or 0
                named = f"connect_{errno.errorcode.get(number, 'error').lower()}"
                reason = _NO_TARGET.get(number, named)
                continue
            if address is not self._addresses[0]:  # next time it is the first one
                self._addresses.remove(address)
                self._addresses.insert(0, address)
            return sock
        raise PlayFailedError(reason)

    async def _connect_to(self, address: SocketAddress) -> socket.socket:
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            with trio.move_on_after(self._timeout_s):
                await _connect(sock, address)
                if address.is_own(sock):  # nobody listens there
                    raise OSError(errno.ECONNREFUSED, "connected to itself")
                if address.family != socket.AF_UNIX:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            raise OSError(errno.ETIMEDOUT, "timed out")
        except BaseException:
            sock.close()
            raise


async def _connect(sock: socket.socket, address: SocketAddress) -> None:
    while True:
        try:
            sock.connect(address.sockaddr)
        except BlockingIOError as problem:
            if problem.errno == errno.EINPROGRESS:
                break
            await trio.sleep(_BACKLOG_S)  # EAGAIN: the backlog of a unix socket is full (unix(7))
        else:
            return
    await trio.lowlevel.wait_writable(sock)
    number = pending_error(sock)
    if number:
        raise OSError(number, errno.errorcode.get(number, ""))
