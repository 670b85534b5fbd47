"""Whose addresses count as one client."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.client_networks import ClientNetworks


def key(networks: ClientNetworks, text: str) -> bytes:
    return networks.key(ip_address(text).packed)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:0:0:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_without_other_wishes(one: str, other: str, same: bool) -> None:
    networks = ClientNetworks()
    assert (key(networks, one) == key(networks, other)) == same


@given(
    st.ip_addresses(),
    st.ip_addresses(),
    st.integers(1, 32),
    st.integers(1, 128),
)
def test_it_is_the_network_that_the_address_is_in(
    one: object, other: object, ipv4: int, ipv6: int
) -> None:
    networks = ClientNetworks(ipv4, ipv6)
    keys, expected = [], []
    for address in map(ip_address, (str(one), str(other))):
        bits = ipv4 if address.version == 4 else ipv6
        keys.append(networks.key(address.packed))
        expected.append(ip_network((address.packed, bits), strict=False))
    assert (keys[0] == keys[1]) == (expected[0] == expected[1])


def test_all_without_an_address_are_one() -> None:
    assert ClientNetworks().key(b"") == b""


def test_the_families_are_apart() -> None:
    networks = ClientNetworks(ipv4_prefix=32, ipv6_prefix=32)
    assert key(networks, "32.1.13.184") != key(networks, "2001:db8::1")
