from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.networks import AccessList, Network, NetworkTable


def networks(*texts: str) -> list[Network]:
    return [ip_network(text) for text in texts]


@pytest.mark.parametrize(
    ("allow", "deny", "host", "admitted"),
    [
        ([], [], "192.0.2.1", True),
        ([], [], "2001:db8::1", True),
        ([], ["192.0.2.0/24"], "192.0.2.0", False),
        ([], ["192.0.2.0/24"], "192.0.2.255", False),
        ([], ["192.0.2.0/24"], "192.0.1.255", True),
        ([], ["192.0.2.0/24"], "192.0.3.0", True),
        ([], ["192.0.2.0/24"], "::ffff:192.0.2.7", False),
        ([], ["::ffff:192.0.2.0/120"], "192.0.2.7", False),
        ([], ["255.255.255.0/24"], "255.255.255.255", False),
        ([], ["ffff::/16"], "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", False),
        (["192.0.2.0/24"], [], "192.0.2.1", True),
        (["192.0.2.0/24"], [], "192.0.3.1", False),
        (["192.0.2.0/24"], [], "2001:db8::1", False),
        (["2001:db8::/32"], [], "2001:db8::1", True),
        (["fe80::/10"], [], "fe80::1%eth0", True),
        (["10.0.0.0/8"], ["10.1.0.0/16"], "10.1.2.3", False),
        (["10.0.0.0/8"], ["10.1.0.0/16"], "10.2.2.3", True),
        (["10.1.2.3/32"], ["10.1.0.0/16"], "10.1.2.3", True),
        (["10.1.2.3/32"], ["10.1.0.0/16"], "10.1.2.4", False),
        (["10.1.0.0/16"], ["0.0.0.0/0"], "10.1.2.4", True),
        ([], ["::/0"], "10.1.2.4", True),  # IPv4 clients are none of IPv6's
    ],
)
def test_who_is_let_in(allow: list[str], deny: list[str], host: str, admitted: bool) -> None:
    assert AccessList(networks(*allow), networks(*deny)).admits(host) is admitted


def test_a_network_is_not_allowed_and_denied() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/8 is both"):
        AccessList(networks("10.0.0.0/8"), networks("::ffff:10.0.0.0/104"))


def test_a_network_has_one_value() -> None:
    one, same = networks("10.0.0.0/8", "::ffff:10.0.0.0/104")
    assert NetworkTable({one: 1, same: 1}, 0).lookup("10.0.0.1") == 1
    with pytest.raises(ValueError, match="two values"):
        NetworkTable({one: 1, same: 2}, 0)


@pytest.mark.parametrize("host", ["", "unix", "10.0.0", "10.0.0.256", "1:2", "10.0.0.1\0", "é"])
def test_what_is_no_address(host: str) -> None:
    with pytest.raises(ValueError, match="not an IP address"):
        AccessList().admits(host)


# Addresses with few bits set, so that networks lie in each other, and next to each other.
addresses = st.lists(st.integers(0, 31), max_size=3).map(
    lambda bits: sum(1 << bit for bit in set(bits))
)


@given(
    table=st.dictionaries(st.tuples(addresses, st.integers(0, 32)), st.integers(1, 9), max_size=12),
    address=addresses,
    nudge=st.integers(-1, 1),
    ipv6=st.booleans(),
)
def test_the_narrowest_network_decides(
    table: dict[tuple[int, int], int], address: int, nudge: int, ipv6: bool
) -> None:
    size, shift = (16, 96) if ipv6 else (4, 0)
    values: dict[Network, int] = {}
    for (start, bits), value in table.items():
        network = ip_network((start << shift).to_bytes(size))
        values[network.supernet(new_prefix=bits)] = value
    number = (address << shift) + nudge
    number = min(max(number, 0), (1 << 8 * size) - 1)
    host = IPv6Address(number) if ipv6 else IPv4Address(number)
    matching = [network for network in values if host in network]
    expected = values[max(matching, key=lambda each: each.prefixlen)] if matching else 0
    assert NetworkTable(values, 0).lookup(str(host)) == expected
