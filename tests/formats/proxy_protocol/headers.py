"""Headers to read, and changes to them."""

import struct

from hypothesis import strategies as st

from spliceproxy.formats.proxy_protocol import version1, version2

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
ADDRESSES = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + struct.pack("!HH", 56324, 443)

ports = st.integers(0, 65535)
ipv4_places = st.tuples(st.ip_addresses(v=4).map(str), ports)
ipv6_places = st.tuples(
    st.ip_addresses(v=6).map(str).filter(lambda each: not each.startswith("::ffff:")), ports
)
place_pairs = st.tuples(ipv4_places, ipv4_places) | st.tuples(ipv6_places, ipv6_places)
tlv_lists = st.lists(
    st.tuples(st.integers(0, 255).filter(lambda kind: kind != 3), st.binary(max_size=40)),
    max_size=5,
)


def header2(command: int, family: int, block: bytes) -> bytes:
    """Return a header of version 2 with nothing checked."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(block)) + block


headers = st.one_of(
    place_pairs.map(lambda pair: version1.encode(*pair)),
    st.just(version1.encode(None, None)),
    st.tuples(place_pairs, tlv_lists).map(lambda each: version2.encode(*each[0], each[1])),
    st.just(version2.encode(None, None)),
    st.just(version2.encode("/run/client", "/run/server")),
)


@st.composite
def damaged_headers(draw: st.DrawFn) -> bytes:
    """Return a header with some bytes overwritten, inserted or left out."""
    header = bytearray(draw(headers) + draw(st.binary(max_size=50)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(header)))
        header[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(header)
