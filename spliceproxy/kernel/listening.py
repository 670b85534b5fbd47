"""Opening the sockets that clients connect to."""

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

from spliceproxy.kernel.sockets import prepare_stream


def listen_tcp(
    host: str | None, port: int, backlog: int, tcp_user_timeout_s: float
) -> list[socket.socket]:
    """Listen on a TCP port: every address of this machine, or all addresses of a host name.

    Raises:
        OSError: as bind(2) and getaddrinfo(3); nothing stays open.
    """
    if host is None:
        return [_listen_everywhere(port, backlog, tcp_user_timeout_s)]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, sockaddr in dict.fromkeys((entry[0], entry[4]) for entry in found):
            sock = socket.socket(family, socket.SOCK_STREAM)
            opened.append(sock)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            _listen(sock, sockaddr, backlog, tcp_user_timeout_s)
    except BaseException:
        for sock in opened:
            sock.close()
        raise
    return opened


def _listen_everywhere(port: int, backlog: int, tcp_user_timeout_s: float) -> socket.socket:
    """One dual-stack socket; an IPv4 one on a machine without IPv6."""
    try:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:
            raise
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        address = "::" if sock.family == socket.AF_INET6 else ""
        _listen(sock, (address, port), backlog, tcp_user_timeout_s)
    except BaseException:
        sock.close()
        raise
    return sock


def listen_unix(path: str, backlog: int) -> socket.socket:
    """Listen on a unix socket of mode 0600; a socket that a dead process left there is replaced.

    Raises:
        OSError: as bind(2); EADDRINUSE when somebody listens there, or the path is no socket.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        old_umask = os.umask(0o177)
        try:
            sock.bind(path)
        finally:
            os.umask(old_umask)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            raise OSError(errno.EADDRINUSE, "is in use by something that is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except ConnectionRefusedError:  # nobody listens any more
                Path(path).unlink()


def _listen(sock: socket.socket, address: object, backlog: int, tcp_user_timeout_s: float) -> None:
    # Without it a restart finds the port in use by connections in TIME_WAIT (socket(7)).
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    prepare_stream(sock, tcp_user_timeout_s)  # accepted sockets inherit the options
    sock.bind(address)  # type: ignore[arg-type]  # typeshed: a sockaddr of any family
    sock.listen(backlog)
    sock.setblocking(False)
