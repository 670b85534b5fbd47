"""What a connection can begin with: a PROXY header, a TLS client's hello."""

from spliceproxy import reasons
from spliceproxy.formats import client_hello
from spliceproxy.formats.client_hello import (
    ClientHello,
    ClientHelloError,
    ClientHelloParser,
    NotTlsError,
)
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.proxy_protocol import version2
from spliceproxy.formats.proxy_protocol.decode import decode
from spliceproxy.formats.proxy_protocol.header import ProxyHeader, ProxyProtocolError
from spliceproxy.formats.proxy_protocol.tlvs import hops_of
from spliceproxy.formats.proxy_protocol.told import tell
from spliceproxy.loop.reactor import Reactor
from spliceproxy.policy.sni import SniTable
from spliceproxy.proxy.received_client import Destination, ReceivedClient
from spliceproxy.proxy.refusals import Refusal

_MOST_HOPS = 16
"""Proxies one behind the other; who has come through more goes round in a ring of them."""


class ProxyHeaderStep:
    """The client is who the header says; only then it is known whether it is let in."""

    most_bytes = version2.MAX_BYTES
    incomplete = reasons.BAD_PROXY_HEADER
    late = reasons.PROXY_HEADER_TIMEOUT

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor

    def read(self, received: ReceivedClient, data: bytes) -> NeedMore | int:
        """Take the header out, and ask whether its client is let in."""
        try:
            header = decode(data)
            told = tell(header.tlvs) if isinstance(header, ProxyHeader) else {}
        except ProxyProtocolError as error:
            raise Refusal(reasons.BAD_PROXY_HEADER, str(error)) from None
        if isinstance(header, NeedMore):
            return header
        client = received.client
        client.tlvs, client.told = header.tlvs, told
        client.hops = hops = hops_of(header.tlvs) + 1
        if hops > _MOST_HOPS:
            raise Refusal(reasons.TOO_MANY_HOPS, f"{hops} proxies")
        self._admit(received, header)
        return header.length

    def _admit(self, received: ReceivedClient, header: ProxyHeader) -> None:
        client = received.client
        host = client.host
        if header.source is not None:
            client.introduce(header.source, header.destination)
            host = client.host
        elif not header.local:
            # The connection's own address is the proxy's, which is let in. Whoever it speaks for
            # would be, too.
            host = None
        elif host is None:
            return  # the proxy itself, at a unix socket, whose mode has let it in
        received.be_admitted(host, self._reactor.now_s)


class ClientHelloStep:
    """The name or the protocol that the hello asks for leads to a route."""

    most_bytes = client_hello.MAX_BYTES
    incomplete = reasons.BAD_CLIENT_HELLO
    late = reasons.CLIENT_HELLO_TIMEOUT

    def __init__(self, table: SniTable[Destination | None]) -> None:
        self._table = table
        self._parser = ClientHelloParser()

    def read(self, received: ReceivedClient, data: bytes) -> NeedMore | int:
        """Look the name up, and leave all bytes where they are."""
        try:
            hello = self._parser.read(data)
        except NotTlsError:
            hello = ClientHello()
        except ClientHelloError as error:
            raise Refusal(reasons.BAD_CLIENT_HELLO, str(error)) from None
        if isinstance(hello, NeedMore):
            return hello
        received.client.server_name = hello.server_name
        received.destination = self._table.lookup(hello.server_name, hello.alpn)
        if received.destination is None:
            raise Refusal(reasons.NO_ROUTE, hello.server_name or "")
        return 0
