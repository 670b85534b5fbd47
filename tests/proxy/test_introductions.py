"""What the line of a connection tells of clients that say more than their address."""

import socket
from ipaddress import ip_network
from typing import Any

from spliceproxy.formats.proxy_protocol import version1, version2
from spliceproxy.formats.proxy_protocol.tlvs import AWS, SSL, UNIQUE_ID, pack_hops
from spliceproxy.kernel.sockets import Socket
from spliceproxy.policy.admission import Admission
from spliceproxy.policy.networks import AccessList
from spliceproxy.policy.sni import SniTable
from spliceproxy.proxy.client import Client
from spliceproxy.proxy.preamble_steps import ClientHelloStep
from spliceproxy.proxy.received_client import Destination, ReceivedClient
from tests.formats.hellos import real_hello
from tests.proxy.pooled import Pooled, pooled
from tests.proxy.test_send_proxy import read_header

REAL = ("192.0.2.7", 40112)


async def told_of(proxied: Pooled, first: bytes) -> dict[str, object]:
    """Begin a connection like this; returns the client's name and what its line says."""
    client = await proxied.open_client()
    name = "{}:{}".format(*client.sock.getsockname())
    await client.send(first)
    _, far = await proxied.arrival()
    client.finish()
    far.finish()
    return {"name": name, **await proxied.ended()}


async def test_a_client_that_another_proxy_speaks_for() -> None:
    header = version1.encode(REAL, ("198.51.100.1", 443))
    networks = (ip_network("127.0.0.0/8"),)
    async with pooled({}, accept_proxy="required", trusted=networks) as proxied:
        line = await told_of(proxied, header)
    assert (line["client"], line["peer"]) == ("192.0.2.7:40112", line["name"])


async def test_what_a_header_tells_besides_addresses() -> None:
    """As the log has it, and as the next proxy gets it."""
    tlvs = [(UNIQUE_ID, b"r-17"), (AWS, b"\x01vpce-08d2bf15fac5001c9"), (0xE4, b"\xff")]
    header = version2.encode(REAL, ("198.51.100.1", 443), tlvs)
    networks = (ip_network("127.0.0.0/8"),)
    accepting: dict[str, Any] = {"accept_proxy": "required", "trusted": networks}
    async with pooled({"send_proxy": "v2"}, **accepting) as proxied:
        client = await proxied.open_client()
        await client.send(header)
        _, far = await proxied.arrival()
        passed_on, _ = await read_header(far)
        client.finish()
        far.finish()
        line = await proxied.ended()
    assert line["tlvs"] == {"unique_id": "r-17", "aws_vpc_endpoint_id": "vpce-08d2bf15fac5001c9"}
    assert passed_on.source == REAL
    assert passed_on.tlvs == (pack_hops(1), *tlvs)


async def test_a_header_with_a_tlv_that_is_cut_off() -> None:
    header = version2.encode(REAL, ("198.51.100.1", 443), [(SSL, b"\1\0\0\0\0\x21\0\x09TLSv1.3")])
    networks = (ip_network("127.0.0.0/8"),)
    async with pooled({}, accept_proxy="required", trusted=networks) as proxied:
        client = await proxied.open_client()
        await client.send(header)
        assert await client.receive_rest() == (b"", "reset")
        (line,) = proxied.events("clients_refused")
    assert (line["reason"], line["detail"]) == ("bad_proxy_header", "an SSL TLV that is cut off")


class Anywhere:
    """A route that takes whatever comes, and where it came in."""

    def leave_place(self) -> None:
        pass

    def start_session(self, client: Client, sock: Socket, received: ReceivedClient | None) -> None:
        pass


def test_the_name_that_a_hello_asks_for() -> None:
    anywhere, client = Anywhere(), Client(REAL, "127.0.0.1:443")
    with socket.socket() as sock:
        admission = Admission(AccessList((), ()))
        received = ReceivedClient(anywhere, admission, client, sock, None, None)
        table = SniTable[Destination | None]({}, {}, anywhere)
        assert ClientHelloStep(table).read(received, real_hello("example.org")) == 0
    assert client.server_name == "example.org"
