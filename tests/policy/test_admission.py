from ipaddress import ip_network

import pytest

from spliceproxy.policy.admission import Admission
from spliceproxy.policy.client_networks import ClientNetworks
from spliceproxy.policy.networks import AccessList
from spliceproxy.policy.rate import ClientRateLimits, Rate
from tests.meters import OwnClients

ANYBODY = AccessList()


def rates(per_s: float, burst: int = 1) -> ClientRateLimits:
    return ClientRateLimits(Rate(per_s, burst), OwnClients())


def test_networks() -> None:
    admission = Admission(AccessList(allow=[ip_network("10.0.0.0/8")]))
    assert admission.refuses("10.1.2.3", 0.0) is None
    assert admission.refuses("::ffff:10.1.2.3", 0.0) is None
    assert admission.refuses("192.0.2.1", 0.0) == "denied"


def test_connections_of_a_client() -> None:
    admission = Admission(ANYBODY, 2, OwnClients())
    assert [admission.refuses("192.0.2.1", 0.0) for _ in range(3)] == [None, None, "client_limit"]
    assert admission.refuses("192.0.2.2", 0.0) is None
    admission.left("192.0.2.1")
    assert admission.refuses("192.0.2.1", 0.0) is None
    assert admission.refuses("192.0.2.1", 0.0) == "client_limit"


@pytest.mark.parametrize(("second", "refused"), [("2001:db8::2", True), ("2001:db8:0:1::1", False)])
def test_an_ipv6_client_is_its_network(second: str, refused: bool) -> None:
    admission = Admission(ANYBODY, 1, OwnClients())
    assert admission.refuses("2001:db8::1", 0.0) is None
    assert (admission.refuses(second, 0.0) is not None) == refused


@pytest.mark.parametrize(
    "admission",
    [
        Admission(AccessList(allow=[ip_network("0.0.0.0/0"), ip_network("::/0")])),
        Admission(AccessList(deny=[ip_network("10.0.0.0/8")])),
        Admission(ANYBODY, 5, OwnClients()),
        Admission(ANYBODY, rates=rates(100)),
    ],
)
def test_who_has_no_address_gets_past_no_rule(admission: Admission) -> None:
    assert admission.refuses(None, 0.0) == "no_client_address"


def test_who_has_no_address_is_let_in_where_none_is_asked_for() -> None:
    assert Admission(ANYBODY).refuses(None, 0.0) is None
    admission = Admission(ANYBODY, 1, OwnClients(), admits_unknown=True)
    assert admission.refuses(None, 0.0) is None
    assert admission.refuses(None, 0.0) is None


@pytest.mark.parametrize(
    ("network", "host"),
    [
        ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ("10.0.0.0/8", "::FFFF:a01:203"),
        ("::ffff:10.0.0.0/104", "10.1.2.3"),
        ("fe80::/10", "fe80::1%eth0"),
        ("fe80::1/128", "fe80::1%2"),
    ],
)
def test_no_spelling_of_an_address_gets_past_a_rule(network: str, host: str) -> None:
    assert Admission(AccessList(deny=[ip_network(network)])).refuses(host, 0.0) == "denied"
    admission = Admission(ANYBODY, 1, OwnClients())
    assert admission.refuses(host.partition("%")[0].lower(), 0.0) is None
    assert admission.refuses(host, 0.0) == "client_limit"


def test_a_client_may_be_a_network() -> None:
    networks = ClientNetworks(ipv4_prefix=24, ipv6_prefix=48)
    admission = Admission(ANYBODY, 1, OwnClients(), networks=networks)
    for first, second, other in (
        ("192.0.2.1", "192.0.2.200", "192.0.3.1"),
        ("2001:db8::1", "2001:db8:0:ffff::1", "2001:db8:1::1"),
    ):
        assert admission.refuses(first, 0.0) is None
        assert admission.refuses(second, 0.0) == "client_limit"
        assert admission.refuses(other, 0.0) is None
        admission.left(first)
        assert admission.refuses(second, 0.0) is None


def test_the_rate_of_a_client() -> None:
    admission = Admission(ANYBODY, rates=rates(1, 2))
    assert [admission.refuses("192.0.2.1", 5.0) for _ in range(3)] == [None, None, "rate_limited"]
    assert admission.refuses("192.0.2.2", 5.0) is None
    assert admission.refuses("192.0.2.1", 6.0) is None


def test_what_is_refused_for_another_reason_uses_up_no_rate() -> None:
    admission = Admission(ANYBODY, 1, OwnClients(), rates=rates(1, 2))
    assert admission.refuses("192.0.2.1", 0.0) is None
    assert admission.refuses("192.0.2.1", 0.0) == "client_limit"
    admission.left("192.0.2.1")
    assert admission.refuses("192.0.2.1", 0.0) is None
