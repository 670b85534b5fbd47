"""Loopback addresses of a soak's own.

All of 127.0.0.0/8 is this machine. So each client has an address of its own, by which its line in
the access log is found; and no outgoing connection of the proxy, which come from 127.0.0.1, takes
the port of a server that is away for a moment.
"""

import random
import socket
from dataclasses import dataclass

_FIRST_CLIENT_NETWORK, _LAST_CLIENT_NETWORK = 16, 127
MOST_CLIENTS = (_LAST_CLIENT_NETWORK + 1 - _FIRST_CLIENT_NETWORK) << 16


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def client_host(number: int) -> str:
    """Return the address of a client that is nobody else's."""
    number %= MOST_CLIENTS
    return f"127.{_FIRST_CLIENT_NETWORK + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


class ServerAddresses:
    """Gives out addresses of servers; two soaks side by side draw other networks."""

    def __init__(self) -> None:
        # Not by the seed of the run: two runs with the same one may be under way.
        drawn = random.SystemRandom()
        self._network = f"127.{drawn.randrange(128, 255)}.{drawn.randrange(256)}"
        self._next = 1

    def take(self, port: int = 0) -> Address:
        """Return an address that is free: at that port, or at one that is free now."""
        host = f"{self._network}.{self._next}"
        self._next += 1
        with socket.socket() as probe:
            probe.bind((host, port))
            return Address(host, probe.getsockname()[1])
