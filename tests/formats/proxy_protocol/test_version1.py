import pytest

from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.proxy_protocol.decode import decode
from spliceproxy.formats.proxy_protocol.header import PeerAddress, ProxyHeader, ProxyProtocolError
from spliceproxy.formats.proxy_protocol.version1 import encode

LONGEST = b"PROXY UNKNOWN " + b"f" * (107 - 14 - 2) + b"\r\n"


@pytest.mark.parametrize(
    ("line", "source", "destination"),
    [
        (b"TCP4 192.0.2.1 198.51.100.2 1 65535", ("192.0.2.1", 1), ("198.51.100.2", 65535)),
        (b"TCP4 0.0.0.0 255.255.255.255 0 0", ("0.0.0.0", 0), ("255.255.255.255", 0)),
        (b"TCP6 2001:DB8:0::1 ::1 1 2", ("2001:db8::1", 1), ("::1", 2)),
        (b"TCP6 ::ffff:192.0.2.1 ::1 1 2", ("::ffff:192.0.2.1", 1), ("::1", 2)),
        (b"UNKNOWN", None, None),
        (b"UNKNOWN ", None, None),
        (b"UNKNOWN anything \x00 at all", None, None),
    ],
)
def test_lines(line: bytes, source: PeerAddress | None, destination: PeerAddress | None) -> None:
    header = b"PROXY " + line + b"\r\n"
    assert decode(header + b"more\r\n") == ProxyHeader(len(header), source, destination)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"UNKNOWNX",
        b"TCP 192.0.2.1 198.51.100.2 1 2",
        b"UDP4 192.0.2.1 198.51.100.2 1 2",
        b"TCP4 192.0.2.1 198.51.100.2 1",
        b"TCP4 192.0.2.1 198.51.100.2 1 2 3",
        b"TCP4 192.0.2.1 198.51.100.2  1 2",
        b"TCP4 192.0.2.1 198.51.100.2 1 2 ",
        b"TCP4 192.0.2.1 198.51.100.2 1 2\n",
        b"TCP4 192.0.2.1 198.51.100.2 +1 2",
        b"TCP4 192.0.2.1 198.51.100.2 1_0 2",
        b"TCP4 192.0.2.1 198.51.100.2 01 2",
        b"TCP4 192.0.2.1 198.51.100.2 1 65536",
        b"TCP4 192.0.2.256 198.51.100.2 1 2",
        b"TCP4 192.0.2 198.51.100.2 1 2",
        b"TCP4 ::1 ::1 1 2",
        b"TCP6 192.0.2.1 198.51.100.2 1 2",
        b"TCP6 fe80::1%lo ::1 1 2",
        b"TCP6 ::1::2 ::1 1 2",
        b"tcp4 192.0.2.1 198.51.100.2 1 2",
    ],
)
def test_what_is_no_header(line: bytes) -> None:
    with pytest.raises(ProxyProtocolError):
        decode(b"PROXY " + line + b"\r\n")


def test_the_longest_line() -> None:
    assert len(LONGEST) == 107
    assert decode(LONGEST) == ProxyHeader(107)
    assert decode(LONGEST[:106]) == NeedMore(107)


@pytest.mark.parametrize(
    "line", [LONGEST[:-2] + b"ff", LONGEST[:-2] + b"f\r\n", LONGEST[:-1] + b"f"]
)
def test_a_line_that_is_too_long(line: bytes) -> None:
    with pytest.raises(ProxyProtocolError, match="more than 107"):
        decode(line)


@pytest.mark.parametrize(
    ("source", "destination", "line"),
    [
        (("192.0.2.1", 1), ("198.51.100.2", 2), b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n"),
        (
            ("::ffff:192.0.2.1", 1),
            ("198.51.100.2", 2),
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
        ),
        (("192.0.2.1", 1), ("2001:db8::1", 2), b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n"),
        (("fe80::1%eth0", 1), ("fe80::2", 2), b"PROXY TCP6 fe80::1 fe80::2 1 2\r\n"),
        (None, None, b"PROXY UNKNOWN\r\n"),
        ("/run/client", "/run/server", b"PROXY UNKNOWN\r\n"),
        ("", ("192.0.2.1", 1), b"PROXY UNKNOWN\r\n"),
    ],
)
def test_writing(source: PeerAddress | None, destination: PeerAddress | None, line: bytes) -> None:
    assert encode(source, destination) == line
