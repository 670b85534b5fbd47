"""Socket addresses, and how the log writes them."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path


def _lowest_local_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):  # a sandbox without /proc
        return 0


_LOWEST_LOCAL_PORT = _lowest_local_port()


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An address that connect(2) takes, with its family, and what the log calls it."""

    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int] | str
    name: str  # as the log writes it

    def is_own(self, sock: socket.SocketType) -> bool:
        """Whether a socket just connected to this address is connected to itself.

        When nobody listens on a local port of the range that outgoing connections are given,
        one of them may get that very port and meet itself (RFC 9293, simultaneous open).
        """
        if isinstance(self.sockaddr, str) or self.sockaddr[1] < _LOWEST_LOCAL_PORT:
            return False
        return bool(sock.getsockname() == self.sockaddr)


def family_of(ip: str) -> int:
    """Return the address family of an IP address."""
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def name_peer(address: object) -> str:
    """Name what accept(2) returned: ``192.0.2.1:5``, ``[2001:db8::1]:5`` or ``unix``."""
    if not isinstance(address, tuple):
        return "unix"
    host, port = address[0], address[1]
    if ":" in host:
        # A dual-stack listener sees IPv4 clients as ::ffff:192.0.2.1 (ipv6(7)).
        mapped = host.removeprefix("::ffff:")
        return f"{mapped}:{port}" if "." in mapped else f"[{host}]:{port}"
    return f"{host}:{port}"


def split_port(name: str) -> tuple[str, str]:
    """Cut a peer's name in two: its IP address without brackets, and its port.

    What has no port, as ``unix`` and an address alone, is left as it is.
    """
    if name.startswith("["):
        host, _, rest = name[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = name.partition(":")
    return (name, "") if ":" in port else (host, port)  # the former for IPv6 without brackets


def place_of(address: object) -> tuple[str, int] | str:
    """Return an IP address and port, or the path of a unix socket (empty: it has none)."""
    if isinstance(address, tuple):
        return address[0], address[1]
    return os.fsdecode(address) if isinstance(address, bytes) else str(address or "")


def name_listener(sock: socket.socket) -> str:
    """Name where a listening socket is bound, in the form that ``--listen`` takes."""
    address = sock.getsockname()
    if isinstance(address, tuple):
        return name_peer(address)
    return f"unix:{unix_name(address)}"


def unix_name(address: str | bytes) -> str:
    """Write the name of a unix socket as users do: an abstract one begins with ``@``."""
    name = os.fsdecode(address)
    return f"@{name[1:]}" if name.startswith("\0") else name
