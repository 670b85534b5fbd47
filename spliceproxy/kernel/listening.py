"""Opening the sockets that clients connect to, or taking over those that are open already."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spliceproxy.kernel.process_state import sees_processes
from spliceproxy.kernel.sockets import is_tcp, prepare_stream

SocketName = tuple[str, int] | tuple[str, int, int, int]
"""What bind(2) takes for TCP."""

FileId = tuple[int, int]
"""A file, whatever its names: device and inode, which nobody else gets while it is bound."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """Who may connect to a unix socket: those who may write to its file (unix(7))."""

    mode: int = 0o600
    uid: int = -1  # -1: leave it as it is (chown(2))
    gid: int = -1


OWNER_ONLY = Permissions()


def find_tcp(host: str, port: int) -> list[tuple[int, SocketName]]:
    """All addresses of a host name, each with its family. Blocks.

    Raises:
        OSError: as getaddrinfo(3).
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = ((int(family), name) for family, _, _, _, name in found)
    return list(dict.fromkeys(addresses))  # type: ignore[arg-type]  # AF_PACKET's


def listen_tcp(
    family: int, name: SocketName, backlog: int, tcp_user_timeout_s: float
) -> socket.socket:
    """Listen on one address.

    Raises:
        OSError: as bind(2); nothing stays open.
    """
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _listen(sock, name, backlog, tcp_user_timeout_s)
    except BaseException:
        sock.close()
        raise
    return sock


def listen_everywhere(port: int, backlog: int, tcp_user_timeout_s: float) -> socket.socket:
    """Listen on every address of this machine: one dual-stack socket; IPv4 where no IPv6 is.

    Raises:
        OSError: as bind(2); nothing stays open.
    """
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


def listen_unix(
    path: str, backlog: int, permissions: Permissions = OWNER_ONLY
) -> tuple[socket.socket, FileId]:
    """Listen on a unix socket; one that a dead process left there is replaced.

    Nobody else may connect before the permissions are as they should be: the file is made for
    its owner only, and nobody is listened to before the last of them is set.

    Whoever owns the directory can put another file of ours, or a link to one, in its place at any
    moment. So it is opened once, without following a link, and all is done to what was opened.

    Raises:
        OSError: as bind(2), chmod(2) and chown(2); EADDRINUSE when somebody listens there, or
            the path is no socket; ESTALE when somebody else has put something in its place;
            ENOSYS without /proc, by which alone one can act on what was opened.
    """
    if not sees_processes():
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        old_umask = os.umask(0o177)
        try:
            sock.bind(path)
        finally:
            os.umask(old_umask)
        with _opened(path) as opened:
            file = _identify_unheard(opened)
            try:
                permit(opened, permissions)
            except OSError:
                remove_socket(path, file)
                raise
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock, file


def listen_abstract(name: str, backlog: int) -> socket.socket:
    """Listen on a unix socket without a file: whoever shares the network namespace may connect.

    ``name`` begins with a NUL; it is gone with the last descriptor (unix(7)).

    Raises:
        OSError: as bind(2); nothing stays open.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(name)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def change_permissions(path: str, file: FileId, permissions: Permissions) -> None:
    """Change who may connect to a unix socket.

    Raises:
        OSError: as chmod(2) and chown(2); ESTALE when the path is another file's by now.
    """
    with _opened(path) as opened:
        if _identify(opened) != file:
            raise _stale()
        permit(opened, permissions)


def permit(opened: str, permissions: Permissions) -> None:
    """Set who may connect to a unix socket that is open."""
    if (permissions.uid, permissions.gid) != (-1, -1):
        os.chown(opened, permissions.uid, permissions.gid)
    Path(opened).chmod(permissions.mode)


def remove_socket(path: str, file: FileId) -> None:
    """Remove a unix socket's path, unless it is another file's by now.

    Raises:
        OSError: as unlink(2).
    """
    with contextlib.suppress(FileNotFoundError):
        with _opened(path) as opened:
            is_ours = _identify(opened) == file
        if is_ours:
            Path(path).unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[str]:
    """Open what is at a path, a link as itself; yields another path, which leads to it alone.

    O_PATH descriptors take neither fchmod(2) nor fchown(2), and no connect(2).
    """
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _identify(opened: str) -> FileId | None:
    """Return which file is open; None when it is no unix socket."""
    found = Path(opened).stat()
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None


def _identify_unheard(opened: str) -> FileId:
    """Return which file has been bound just now: a socket that nobody listens to.

    The kernel does not say which file a socket is bound to. Of what could have been put in its
    place only a socket on which somebody listens is worth anything, and that one answers.
    """
    file = _identify(opened)
    if file is None or not _is_dead(opened):
        raise _stale()
    return file


def _is_dead(opened: str) -> bool:
    """Whether nobody listens to a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(opened) == errno.ECONNREFUSED


def _stale() -> OSError:
    return OSError(errno.ESTALE, os.strerror(errno.ESTALE))


def take_over(fd: int, backlog: int, tcp_user_timeout_s: float) -> socket.socket:
    """Listen on a socket that is open already; closing it is the caller's business from now on.

    Raises:
        OSError: as getsockopt(2) and listen(2).
    """
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    prepare_stream(sock, tcp_user_timeout_s)
    sock.listen(backlog)
    sock.setblocking(False)
    return sock


def adjust(sock: socket.socket, backlog: int, tcp_user_timeout_s: float) -> None:
    """Change a listening socket, which goes on accepting.

    Raises:
        OSError: as setsockopt(2) and listen(2).
    """
    if is_tcp(sock):
        timeout_ms = round(tcp_user_timeout_s * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
    sock.listen(backlog)


def is_listening_stream(fd: int) -> bool:
    """Whether a descriptor is a TCP or unix stream socket that listens."""
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
    except OSError:  # EBADF
        return False
    with socket.socket(fileno=os.dup(fd)) as sock:
        stream = sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
        known = sock.family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return known and stream and bool(listens)


def _remove_stale(path: str) -> None:
    """Remove what a dead process left; bind(2) finds out what else there is."""
    with contextlib.suppress(FileNotFoundError), _opened(path) as opened:
        file = _identify(opened)
        if file is None:
            raise OSError(errno.EADDRINUSE, "is in use by something that is not a socket")
        if _is_dead(opened):
            remove_socket(path, file)


def _listen(sock: socket.socket, name: SocketName, backlog: int, tcp_user_timeout_s: float) -> None:
    # Without it a restart finds the port in use by connections in TIME_WAIT (socket(7)).
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    prepare_stream(sock, tcp_user_timeout_s)  # accepted sockets inherit the options
    sock.bind(name)
    sock.listen(backlog)
    sock.setblocking(False)
