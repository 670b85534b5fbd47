from ipaddress import ip_network

import pytest

from spliceproxy.policy.admission import MAX_CLIENTS, Admission
from spliceproxy.policy.networks import AccessList
from spliceproxy.policy.rate import Rate

ANYBODY = AccessList()


def test_networks() -> None:
    admission = Admission(AccessList(allow=[ip_network("10.0.0.0/8")]))
    assert admission.refuses("10.1.2.3", 0.0) is None
    assert admission.refuses("::ffff:10.1.2.3", 0.0) is None
    assert admission.refuses("192.0.2.1", 0.0) == "denied"


def test_connections_of_a_client() -> None:
    admission = Admission(ANYBODY, max_per_client=2)
    assert [admission.refuses("192.0.2.1", 0.0) for _ in range(3)] == [None, None, "client_limit"]
    assert admission.refuses("192.0.2.2", 0.0) is None
    admission.left("192.0.2.1")
    assert admission.refuses("192.0.2.1", 0.0) is None
    assert admission.refuses("192.0.2.1", 0.0) == "client_limit"


def test_nothing_is_kept_of_clients_that_have_left() -> None:
    admission = Admission(ANYBODY, max_per_client=1)
    for number in range(100):
        admission.refuses(f"192.0.2.{number}", 0.0)
        admission.left(f"192.0.2.{number}")
    assert admission._open == {}


@pytest.mark.parametrize(("second", "refused"), [("2001:db8::2", True), ("2001:db8:0:1::1", False)])
def test_an_ipv6_client_is_its_network(second: str, refused: bool) -> None:
    admission = Admission(ANYBODY, max_per_client=1)
    assert admission.refuses("2001:db8::1", 0.0) is None
    assert (admission.refuses(second, 0.0) is not None) == refused


def test_the_rate_of_a_client() -> None:
    admission = Admission(ANYBODY, rate=Rate(1, 2))
    assert [admission.refuses("192.0.2.1", 5.0) for _ in range(3)] == [None, None, "rate_limited"]
    assert admission.refuses("192.0.2.2", 5.0) is None
    assert admission.refuses("192.0.2.1", 6.0) is None


def test_what_is_refused_for_another_reason_uses_up_no_rate() -> None:
    admission = Admission(ANYBODY, max_per_client=1, rate=Rate(1, 2))
    assert admission.refuses("192.0.2.1", 0.0) is None
    assert admission.refuses("192.0.2.1", 0.0) == "client_limit"
    admission.left("192.0.2.1")
    assert admission.refuses("192.0.2.1", 0.0) is None


def test_the_rates_of_a_bounded_number_of_clients_are_kept() -> None:
    admission = Admission(ANYBODY, rate=Rate(1))
    for number in range(MAX_CLIENTS + 100):
        admission.refuses(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    assert admission._rates is not None
    assert len(admission._rates) == MAX_CLIENTS
