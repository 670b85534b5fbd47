"""Who a connection was accepted from, where and when."""

import time
from itertools import count

from spliceproxy.formats.ip import pack_ip
from spliceproxy.formats.proxy_protocol.client_handshake import ClientHandshake
from spliceproxy.formats.proxy_protocol.header import PeerAddress, ProxiedClient, Tlvs
from spliceproxy.formats.proxy_protocol.told import Told
from spliceproxy.kernel.addresses import name_peer, place_of
from spliceproxy.kernel.sockets import Socket
from spliceproxy.tls.agreed import describe
from spliceproxy.tls.start_tls import StartTls

_numbers = count(1)  # of this process


class Client:
    """A client, as far as it is known before it has sent a byte."""

    __slots__ = (
        "_destination",
        "accepted_s",
        "address",
        "hops",
        "let_in_s",
        "listener_name",
        "number",
        "peer",
        "server_name",
        "start_tls",
        "tls",
        "tlvs",
        "told",
    )

    def __init__(self, address: object, listener_name: str) -> None:
        self.address = address
        self._destination: PeerAddress | None = None
        self.listener_name = listener_name
        self.peer: str | None = None
        """The trusted proxy that has introduced it, as the log has it."""
        self.hops = 0
        """Proxies of this kind that it has come through by PROXY headers, this one among them."""
        self.server_name: str | None = None
        """What its TLS hello asks for."""
        self.tls: ClientHandshake | None = None
        """What a TLS handshake with it has agreed on; None: there was none here."""
        self.start_tls: StartTls | None = None
        """What it has asked for TLS with; None: it has not, so nobody has greeted it."""
        self.tlvs: Tlvs = ()
        self.told: Told = {}
        """What a PROXY header has told of it besides its addresses, and the same for the log."""
        self.number = next(_numbers)
        self.accepted_s = self.let_in_s = time.monotonic()

    def introduce(self, source: PeerAddress, destination: PeerAddress | None) -> None:
        """Be who a trusted proxy says it is, and where it says it has connected to."""
        self.peer = self.name
        self.address = source
        self._destination = destination

    @property
    def name(self) -> str:
        """Its address and port, as the log has it."""
        return name_peer(self.address)

    @property
    def host(self) -> str | None:
        """Its IP address as the socket module writes it; None: it has none, as at a unix socket."""
        return self.address[0] if isinstance(self.address, tuple) else None

    @property
    def ip(self) -> bytes:
        """Its address as 4 or 16 bytes; empty if it has none."""
        host = self.host
        return b"" if host is None else pack_ip(host)

    def facts(self) -> tuple[str, str, str | None, str | None, Told | None, Told | None]:
        """Return what a `ConnectionRecord` has of it, in that order."""
        by_tls = None if self.tls is None else describe(self.tls)
        place = (self.listener_name, self.name, self.peer, self.server_name)
        return (*place, by_tls, self.told or None)

    def proxied(self, sock: Socket) -> ProxiedClient:
        """Return where it is, and where it connected to by this socket."""
        destination = self._destination or place_of(sock.getsockname())
        return ProxiedClient(place_of(self.address), destination, self.hops, self.tls, self.tlvs)

    def connect_s(self) -> float:
        """Return for how long it has been waiting for a backend."""
        return time.monotonic() - self.let_in_s

    def age_s(self) -> float:
        """Return for how long it has been here."""
        return time.monotonic() - self.accepted_s
