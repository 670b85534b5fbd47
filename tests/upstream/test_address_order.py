"""In which order the addresses of a backend are tried."""

import socket
from collections import Counter

import pytest

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.upstream.address_order import AVOIDED, AddressOrder


def v4(number: int) -> SocketAddress:
    return SocketAddress(socket.AF_INET, (f"192.0.2.{number}", 80), f"{number}")


def v6(number: int) -> SocketAddress:
    return SocketAddress(socket.AF_INET6, (f"2001:db8::{number}", 80, 0, 0), f"six {number}")


def order_of(*addresses: SocketAddress) -> AddressOrder:
    order = AddressOrder()
    order.replace(addresses)
    return order


def take(order: AddressOrder, now_s: float = 0.0, client: bytes = b"") -> list[str]:
    return [each.name for each in order.take(now_s, client)]


def test_all_have_their_turn_and_families_alternate() -> None:
    order = order_of(v6(1), v6(2), v6(3), v4(1))
    assert [take(order) for _ in range(5)] == [
        ["six 1", "1", "six 2", "six 3"],
        ["six 2", "1", "six 3", "six 1"],
        ["six 3", "1", "six 1", "six 2"],
        ["1", "six 1", "six 2", "six 3"],
        ["six 1", "1", "six 2", "six 3"],
    ]


def test_one_that_fails_goes_last_for_a_while_longer_each_time() -> None:
    order = order_of(v4(1), v4(2), v4(3))
    now_s = 0.0
    for failures in range(1, 12):
        order.failed(v4(2), now_s)
        delay_s = AVOIDED.delay_s(failures)
        for since_s in (0.0, delay_s - 0.1):
            assert {take(order, now_s + since_s)[-1] for _ in range(6)} == {"2"}
        now_s += delay_s
        firsts = [take(order, now_s)[0] for _ in range(9)]
        assert firsts.count("2") == 1, "a single connection finds out"
    assert delay_s == AVOIDED.longest_s
    order.answered(v4(2))
    assert Counter(take(order, now_s)[0] for _ in range(9)) == {"1": 3, "2": 3, "3": 3}


def test_a_trial_that_tells_nothing_is_repeated() -> None:
    order = order_of(v4(1), v4(2))
    order.failed(v4(1), 0.0)
    for now_s in (10.0, 20.0, 30.0):
        assert [take(order, now_s)[0] for _ in range(4)].count("1") == 1


def test_those_that_fail_together_count_once() -> None:
    order = order_of(v4(1), v4(2))
    for _ in range(100):
        order.failed(v4(1), 1.0)
    assert "1" in [take(order, 1.0 + AVOIDED.first_s)[0] for _ in range(2)]


def test_when_all_fail_the_one_that_is_back_first_is_tried_first() -> None:
    order = order_of(v4(1), v4(2))
    order.failed(v4(2), 0.0)
    order.failed(v4(1), 1.0)
    assert take(order, 2.0) == ["2", "1"]


def test_a_check_takes_nobodys_turn() -> None:
    order = order_of(v4(1), v4(2))
    order.failed(v4(1), 0.0)
    assert [each.name for each in order.look(1.0)] == ["2", "1"]
    for _ in range(3):
        assert [each.name for each in order.look(10.0)] == ["1", "2"]
    assert {take(order, 10.0)[0] for _ in range(2)} == {"1", "2"}


def test_a_client_that_is_given_stays_with_its_address() -> None:
    order = order_of(*(v4(number) for number in range(8)))
    clients = [bytes([192, 0, 2, number]) for number in range(100)]
    before = {client: take(order, client=client)[0] for client in clients}
    assert len(set(before.values())) == 8
    assert {client: take(order, client=client)[0] for client in clients} == before
    order.failed(v4(3), 0.0)
    moved = {client for client in clients if take(order, client=client)[0] != before[client]}
    assert moved == {client for client in clients if before[client] == "3"}


@pytest.mark.parametrize("stays", [True, False])
def test_a_name_that_stands_for_others_by_now(stays: bool) -> None:
    order = order_of(v4(1), v4(2))
    order.failed(v4(1), 0.0)
    order.replace([v4(1), v4(3)] if stays else [v4(4), v4(3)])
    assert take(order, 1.0)[-1] == ("1" if stays else "3")
    order.failed(v4(9), 1.0)
    assert len(order._troubles) == int(stays), "nothing is remembered of what is gone"
