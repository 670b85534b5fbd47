from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.balance.least_connections import LeastConnections
from tests.policy.balance.backends import backends


@pytest.mark.parametrize(
    ("weights", "active", "picked"),
    [
        ((1, 1, 1), (2, 1, 2), "b"),
        ((1, 1, 1), (0, 0, 1), "a"),
        ((1, 2, 1), (2, 3, 2), "b"),
        ((2, 1, 1), (3, 1, 1), "b"),
        ((3, 6, 1), (1, 2, 1), "b"),  # as busy as a, but heavier
    ],
)
def test_the_least_busy_for_its_weight(
    weights: tuple[int, ...], active: tuple[int, ...], picked: str
) -> None:
    states = backends(*weights)
    for state, connections in zip(states, active, strict=True):
        state.active = connections
    assert LeastConnections().pick(states).name == picked


def test_idle_backends_take_turns_by_weight() -> None:
    states = backends(2, 1)
    balance = LeastConnections()
    assert "".join(balance.pick(states).name for _ in range(6)) == "abaaba"


@given(weights=st.lists(st.integers(1, 9), min_size=1, max_size=6), rounds=st.integers(1, 4))
def test_lasting_connections_fill_by_weight(weights: list[int], rounds: int) -> None:
    states = backends(*weights)
    balance = LeastConnections()
    for _ in range(rounds * sum(weights)):
        balance.pick(states).active += 1
    shares = Counter({state.index: state.active for state in states})
    assert shares == {index: rounds * weight for index, weight in enumerate(weights)}
