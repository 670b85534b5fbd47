from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.balance.round_robin import RoundRobin
from tests.policy.balance.backends import backends


@pytest.mark.parametrize(
    ("weights", "turns"),
    [
        ((1, 1, 1), "abcabc"),
        ((5, 1, 1), "aabacaa" * 2),
        ((2, 1), "abaaba"),
        ((7,), "aaa"),
    ],
)
def test_turns_are_spread(weights: tuple[int, ...], turns: str) -> None:
    states = backends(*weights)
    balance = RoundRobin()
    assert "".join(balance.pick(states).name for _ in turns) == turns


@given(weights=st.lists(st.integers(1, 20), min_size=1, max_size=8), rounds=st.integers(1, 3))
def test_a_round_has_each_as_often_as_it_weighs(weights: list[int], rounds: int) -> None:
    states = backends(*weights)
    balance = RoundRobin()
    picks = Counter(balance.pick(states).index for _ in range(rounds * sum(weights)))
    assert picks == {index: rounds * weight for index, weight in enumerate(weights)}


@given(st.data())
def test_whoever_comes_and_goes_nobody_waits_for_long(data: st.DataObject) -> None:
    states = backends(*data.draw(st.lists(st.integers(1, 5), min_size=2, max_size=5)))
    balance = RoundRobin()
    for candidates in data.draw(st.lists(st.sets(st.sampled_from(states), min_size=1))):
        assert balance.pick(sorted(candidates, key=lambda each: each.index)) in candidates
    total = sum(state.weight for state in states)
    picked = {balance.pick(states).index for _ in range(total * len(states))}
    assert picked == set(range(len(states)))
