"""What a PROXY protocol header says."""

from dataclasses import dataclass

from spliceproxy.formats.proxy_protocol.client_handshake import ClientHandshake

Tlvs = tuple[tuple[int, bytes], ...]
"""Types and values, in their order."""

PeerAddress = tuple[str, int] | str
"""An IP address and port, or the path of a unix socket (empty: it has none)."""


class ProxyProtocolError(ValueError):
    """The bytes are not a header, or not one that is accepted; the text says why."""


@dataclass(frozen=True, slots=True)
class ProxiedClient:
    """Whom a connection to a backend is made for."""

    source: PeerAddress | None
    """Where the client is."""
    destination: PeerAddress | None
    """Where it connected to."""
    hops: int = 0
    """How many proxies of this kind it has come through by PROXY headers, this one among them."""
    tls: ClientHandshake | None = None
    """How it came by TLS, which has ended here; None: it did not."""
    tlvs: Tlvs = ()
    """What the header that has introduced it told besides."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header that was read.

    Without addresses, the proxy before has made the connection on its own account (`local`, such as
    a health check), or does not say where it came from (UNKNOWN, AF_UNSPEC).
    """

    length: int
    """Bytes that it takes: what follows is the connection's."""
    source: PeerAddress | None = None
    destination: PeerAddress | None = None
    local: bool = False
    tlvs: Tlvs = ()
