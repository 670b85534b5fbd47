from collections import Counter
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.balance import RoundRobin


def test_each_turn_starts_one_further_and_goes_once_around() -> None:
    balance = RoundRobin()
    turns = ["".join(balance.turn("abc")) for _ in range(4)]
    assert turns == ["abc", "bca", "cab", "abc"]


def test_workers_may_start_at_different_places() -> None:
    assert ["".join(RoundRobin(first).turn("abc")) for first in range(4)] == [
        "abc",
        "bca",
        "cab",
        "abc",
    ]


@given(items=st.integers(1, 20), rounds=st.integers(1, 10), first=st.integers(0, 100))
def test_every_item_is_first_equally_often(items: int, rounds: int, first: int) -> None:
    balance = RoundRobin(first)
    firsts = [next(balance.turn(range(items))) for _ in range(items * rounds)]
    assert Counter(firsts) == dict.fromkeys(range(items), rounds)


@given(items=st.integers(1, 20), taken=st.integers(0, 20))
def test_items_that_come_and_go_between_turns(items: int, taken: int) -> None:
    balance = RoundRobin()
    list(islice(balance.turn(range(items)), taken))
    assert sorted(balance.turn(range(3))) == [0, 1, 2]
