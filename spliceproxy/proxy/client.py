"""Who a connection was accepted from, where and when."""

import time
from itertools import count

from spliceproxy.formats.ip import pack_ip
from spliceproxy.formats.proxy_protocol.header import Place
from spliceproxy.kernel.addresses import name_peer, place_of
from spliceproxy.kernel.sockets import Socket

_numbers = count(1)  # of this process


class Client:
    """A client, as far as it is known before it has sent a byte."""

    __slots__ = ("accepted_s", "address", "listener_name", "number")

    def __init__(self, address: object, listener_name: str) -> None:
        self.address = address
        self.listener_name = listener_name
        self.number = next(_numbers)
        self.accepted_s = time.monotonic()

    @property
    def name(self) -> str:
        """Its address and port, as the log has it."""
        return name_peer(self.address)

    @property
    def ip(self) -> bytes:
        """Its address as 4 or 16 bytes; empty if it has none."""
        return pack_ip(self.address[0]) if isinstance(self.address, tuple) else b""

    def places(self, sock: Socket) -> tuple[Place | None, Place | None]:
        """Return where it is, and where it connected to by this socket."""
        return place_of(self.address), place_of(sock.getsockname())

    def age_s(self) -> float:
        """Return for how long it has been here."""
        return time.monotonic() - self.accepted_s
