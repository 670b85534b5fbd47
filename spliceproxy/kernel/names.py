"""Socket addresses as the log writes them."""

import socket


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


def name_listener(sock: socket.socket) -> str:
    """Name where a listening socket is bound, in the form that ``--listen`` takes."""
    address = sock.getsockname()
    return name_peer(address) if isinstance(address, tuple) else f"unix:{address}"
