"""Whether a connect reaches a listening socket of this process."""

import os
import socket
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

from spliceproxy.kernel.addresses import SocketAddress, family_of


@dataclass(frozen=True, slots=True)
class BoundAddress:
    """Where a socket listens, which may be closed by the time that this is asked."""

    port: int
    host: str
    """An IP address, or the path of a unix socket, whose port is -1."""
    dual_stack: bool = False


def bound_address(sock: socket.socket) -> BoundAddress | None:
    """Return where a socket listens; None where others listen on the same address beside it."""
    name = sock.getsockname()
    if not isinstance(name, tuple):
        return BoundAddress(-1, os.fsdecode(name))
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).strip(b"\0"):
        return None  # of one interface: another program may have the port on the others
    is_ipv6 = sock.family == socket.AF_INET6
    dual = is_ipv6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return BoundAddress(name[1], _plain(name[0]), dual)


def reaches(target: SocketAddress, bound: BoundAddress) -> bool:
    """Whether a connection to the target arrives at a socket that is bound there."""
    if isinstance(target.sockaddr, str):
        return bound.port == -1 and _is_same_file(target.sockaddr, bound.host)
    host, port = _plain(target.sockaddr[0]), target.sockaddr[1]
    if port != bound.port:
        return False
    if bound.host == "::":
        return (bound.dual_stack or ":" in host) and is_local(host)
    if bound.host == "0.0.0.0":  # noqa: S104 - compared, not listened on
        return ":" not in host and is_local(host)
    # Connecting to the unspecified address connects to loopback (ip(7)).
    return host == bound.host or {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host) == bound.host  # noqa: S104


def is_local(ip: str) -> bool:
    """Whether it is an address of this machine: only to those can a socket be bound (bind(2))."""
    try:
        with socket.socket(family_of(ip), socket.SOCK_DGRAM) as sock:
            sock.bind((ip, 0))
    except OSError:
        return False
    return True


def _plain(ip: str) -> str:
    """Return the IPv4 address of one that is mapped into IPv6."""
    address = ip.partition("%")[0]
    mapped = IPv6Address(address).ipv4_mapped if ":" in address else None
    return ip if mapped is None else str(mapped)


def _is_same_file(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):  # an abstract name has a NUL
        return False
