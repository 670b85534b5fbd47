from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.formats.ip import map_ip, pack_ip


@given(st.ip_addresses())
def test_an_address_is_its_bytes(address: IPv4Address | IPv6Address) -> None:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert pack_ip(str(address)) == (mapped or address).packed


@given(st.ip_addresses(v=4))
def test_mapping_and_back(address: IPv4Address) -> None:
    mapped = IPv6Address(map_ip(address.packed))
    assert mapped.ipv4_mapped == address
    assert pack_ip(str(mapped)) == address.packed
    assert map_ip(mapped.packed) == mapped.packed


def test_a_scope_is_left_out() -> None:
    assert pack_ip("fe80::1%eth0") == IPv6Address("fe80::1").packed


@pytest.mark.parametrize("host", ["", "1.2.3", "01.2.3.4", "host", ":", "::1::", "1.2.3.4%eth0"])
def test_what_is_no_address(host: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address"):
        pack_ip(host)
