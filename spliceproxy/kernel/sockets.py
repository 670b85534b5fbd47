"""Socket options, and the ways in which a socket may end."""

import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from spliceproxy.kernel import syscalls

Socket = socket.SocketType
"""The class in C below `socket.socket`: connections by the thousand are made and closed without
the Python methods around it, which cost 1.5 µs a socket."""

_TCP_CLOSE = 7  # include/net/tcp_states.h; the first byte of struct tcp_info
_IP_BIND_ADDRESS_NO_PORT = 24  # include/uapi/linux/in.h; in Python's socket module from 3.12 on
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_FIN_ON_CLOSE = struct.pack("ii", 0, 0)


def _keepalive_time_s() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/tcp_keepalive_time").read_text())
    except (OSError, ValueError):  # a sandbox without /proc
        return 0


_KEEPALIVE_TIME_S = _keepalive_time_s()


def outlasts_keepalive(silence_s: float) -> bool:
    """Whether keepalive probes come before a connection has been silent for so long.

    They begin two hours after the last byte, unless the system says otherwise (tcp(7)); IPv6 goes
    by the same setting.
    """
    return silence_s > _KEEPALIVE_TIME_S


def is_tcp(sock: Socket) -> bool:
    """Whether TCP's options, and resets, exist on this socket."""
    return sock.family != socket.AF_UNIX


def prepare_stream(
    sock: Socket, tcp_user_timeout_s: float, *, needs_keepalive: bool = True
) -> None:
    """Set what every TCP stream of the proxy has; a listener hands it on to what it accepts.

    Reset-on-close (SO_LINGER with zero seconds, socket(7)) is on until `finish_cleanly` takes it
    off. A worker that is killed in the middle of a stream thereby ends it in a reset: the kernel
    closes a dead process's sockets, and a plain close would tell the peer that all is complete.
    """
    if not is_tcp(sock):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if needs_keepalive:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    if tcp_user_timeout_s:
        timeout_ms = max(1, round(tcp_user_timeout_s * 1000))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)


def bind_source(sock: Socket, ip: str) -> None:
    """Connect from this address of this machine, from a port that connect(2) will choose.

    A port chosen by bind(2) would have to differ from those of all connections, whatever they
    lead to (IP_BIND_ADDRESS_NO_PORT, ip(7)); IPv6 sockets have the option too.

    Raises:
        OSError: as bind(2); EADDRNOTAVAIL if no interface has the address.
    """
    sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind((ip, 0))


def finish_cleanly(sock: Socket) -> None:
    """Make the coming close a FIN behind all data, not a reset."""
    if is_tcp(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FIN_ON_CLOSE)


def close_all(socks: Iterable[Socket]) -> None:
    """Close sockets: those whose numbers follow on each other in one call (close_range(2)).

    The two of a connection are such neighbours as a rule, since the kernel gives the lowest numbers
    that are free (socket(2)). Where the call is refused Python closes one after the other.
    """
    first, last = -1, -1  # of the neighbours so far; negative: there are none
    for sock in socks:
        fd = sock.detach()
        if fd < 0:  # closed already
            continue
        if first >= 0 and fd == last + 1:
            last = fd
        elif fd == first - 1:
            first = fd
        else:
            _close(first, last)
            first = last = fd
    _close(first, last)


def _close(first: int, last: int) -> None:
    if first >= 0:  # to close_range(2) -1 is the highest number that there is
        os.closerange(first, last + 1)


def push(sock: Socket) -> None:
    """Have what waits for more to come (MSG_MORE) sent now; to set TCP_NODELAY does it (tcp(7))."""
    if is_tcp(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def pending_error(sock: Socket) -> int:
    """Take the socket's pending errno, 0 if none (SO_ERROR, socket(7)).

    Taking it hides it from the next read, which then looks like a clean end: ask only a socket
    that is connecting, or that is given up.
    """
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def undelivered_bytes(sock: Socket) -> int:
    """Bytes that a reset would destroy now.

    None on a unix socket, whose peer has them in its queue already, and none when the peer has
    reset meanwhile: SIOCOUTQ goes on counting what nobody will acknowledge.
    """
    if not is_tcp(sock) or sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE:
        return 0
    return syscalls.unacknowledged_bytes(sock)
