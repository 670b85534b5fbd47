"""Version 1 of the PROXY protocol: a line of text."""

import re
import socket

from spliceproxy.formats.ip import map_ip, pack_ip
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.proxy_protocol.header import PeerAddress, ProxyHeader, ProxyProtocolError

SIGNATURE = b"PROXY "
MAX_BYTES = 107
_SHORTEST = len(b"PROXY UNKNOWN\r\n")
_UNKNOWN = b"PROXY UNKNOWN\r\n"
_LINE = re.compile(
    rb"PROXY (TCP4|TCP6) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})"
)
_FAMILIES = {b"TCP4": socket.AF_INET, b"TCP6": socket.AF_INET6}


def decode(data: bytes) -> ProxyHeader | NeedMore:
    """Read a header that begins with the signature.

    Raises:
        ProxyProtocolError: it is not a header.
    """
    end = data.find(b"\r\n", 0, MAX_BYTES)
    if end < 0:
        if len(data) >= MAX_BYTES:
            raise ProxyProtocolError(f"a line of more than {MAX_BYTES} bytes")
        return NeedMore(max(len(data) + 1, _SHORTEST))
    line = data[:end]
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return ProxyHeader(end + 2)  # whatever else the line says is to be ignored
    match = _LINE.fullmatch(line)
    if not match:
        raise ProxyProtocolError("a line that is not of the form 'PROXY TCP4 from to port port'")
    family, *hosts, source_port, destination_port = match.groups()
    source, destination = (_read_host(_FAMILIES[family], host) for host in hosts)
    return ProxyHeader(
        end + 2, (source, _read_port(source_port)), (destination, _read_port(destination_port))
    )


def encode(source: PeerAddress | None, destination: PeerAddress | None) -> bytes:
    """Write a header; unix sockets have no other way than to be unknown."""
    if not isinstance(source, tuple) or not isinstance(destination, tuple):
        return _UNKNOWN
    packed = [pack_ip(source[0]), pack_ip(destination[0])]
    if len(packed[0]) == len(packed[1]) == 4:
        name, family = "TCP4", socket.AF_INET
    else:
        name, family = "TCP6", socket.AF_INET6
        packed = [map_ip(address) for address in packed]
    hosts = " ".join(socket.inet_ntop(family, address) for address in packed)
    return f"PROXY {name} {hosts} {source[1]} {destination[1]}\r\n".encode()


def _read_host(family: socket.AddressFamily, host: bytes) -> str:
    try:
        # There and back, for one spelling of an address.
        return socket.inet_ntop(family, socket.inet_pton(family, host.decode("ascii")))
    except OSError:
        raise ProxyProtocolError("an address that is not of its family") from None


def _read_port(digits: bytes) -> int:
    port = int(digits)
    if port > 65535:
        raise ProxyProtocolError("a port above 65535")
    return port
