"""Opening the listeners of all routes, or none."""

import errno
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.listening import listen_tcp, listen_unix
from spliceproxy.settings.address import Address, UnixAddress
from spliceproxy.settings.options import RouteSettings

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
def open_listeners(routes: Iterable[RouteSettings]) -> Iterator[list[list[socket.socket]]]:
    """Listen for each route; on leaving, close all sockets and remove those that have a path.

    Raises:
        StartProblem: an address cannot be listened on; none stays open.
    """
    with ExitStack() as on_exit:
        yield [_listen_for(route, on_exit) for route in routes]


def _listen_for(route: RouteSettings, on_exit: ExitStack) -> list[socket.socket]:
    opened: list[socket.socket] = []
    for address in route.listen:
        opened += map(on_exit.enter_context, _open(address, route))
        if isinstance(address, UnixAddress):
            on_exit.callback(Path(address.path).unlink, missing_ok=True)
    return opened


def _open(address: Address, route: RouteSettings) -> list[socket.socket]:
    try:
        if isinstance(address, UnixAddress):
            return [listen_unix(address.path, route.backlog)]
        tcp_user_timeout_s = route.timeouts.tcp_user_s
        return listen_tcp(address.host, address.port, route.backlog, tcp_user_timeout_s)
    except OSError as error:
        number = error.errno or 0
        what = "does not resolve" if isinstance(error, socket.gaierror) else os.strerror(number)
        raise StartProblem(
            f"cannot listen on {address} ({what})",
            _REMEDIES.get(number, "choose another address"),
        ) from error
