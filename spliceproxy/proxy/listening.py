"""Opening all listeners of the settings, or none."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.listening import listen_tcp, listen_unix
from spliceproxy.settings.address import Address, UnixAddress
from spliceproxy.settings.options import Settings

_REMEDIES = {
    errno.EADDRINUSE: "choose another port, or stop the program that listens there (ss -ltnp)",
    errno.EACCES: (
        "ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE; "
        "choose a higher one"
    ),
    errno.EADDRNOTAVAIL: "no interface of this machine has that address",
    errno.ENOENT: "the directory of the socket does not exist",
    errno.EMFILE: "raise the file limit (ulimit -n)",
}


@contextmanager
def open_listeners(settings: Settings) -> Iterator[list[socket.socket]]:
    """Listen on all that the settings name; on leaving, close them and remove unix sockets.

    Raises:
        StartProblem: an address cannot be listened on; none stays open.
    """
    opened: list[socket.socket] = []
    paths: list[str] = []
    try:
        for address in settings.listen:
            opened += _open(address, settings)
            if isinstance(address, UnixAddress):
                paths.append(address.path)
        yield opened
    finally:
        for sock in opened:
            sock.close()
        for path in paths:
            Path(path).unlink(missing_ok=True)


def _open(address: Address, settings: Settings) -> list[socket.socket]:
    try:
        if isinstance(address, UnixAddress):
            return [listen_unix(address.path, settings.backlog)]
        return listen_tcp(address.host, address.port, settings.backlog, settings.tcp_user_timeout_s)
    except OSError as error:
        number = error.errno or 0
        what = "does not resolve" if isinstance(error, socket.gaierror) else os.strerror(number)
        raise StartProblem(
            f"cannot listen on {address} ({what})",
            _REMEDIES.get(number, "choose another address"),
        ) from error
