from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.balance.random_two import RandomTwo
from tests.policy.balance.backends import backends

NEARLY_ONE = 1 - 2**-53


@pytest.mark.parametrize(
    ("draws", "active", "picked"),
    [
        ((0.0, 0.0), (5, 6, 0), "a"),  # a and b; c is not drawn, however idle
        ((0.0, 0.0), (6, 5, 0), "b"),
        ((0.0, 0.0), (5, 5, 0), "a"),
        ((0.4, 0.6), (0, 2, 1), "c"),  # b, then c: a is at 0 to 0.5 of what is left
        ((0.0, 0.4), (5, 4, 0), "b"),
        ((0.5, 0.0), (0, 9), "a"),  # b, on the line between both, then a
        ((0.0, 0.0), (9, 0), "b"),
        ((NEARLY_ONE, NEARLY_ONE), (0, 1, 2), "b"),
    ],
)
def test_the_less_busy_of_the_two_drawn(
    draws: tuple[float, ...], active: tuple[int, ...], picked: str
) -> None:
    states = backends(*[1] * len(active))
    for state, connections in zip(states, active, strict=True):
        state.active = connections
    assert RandomTwo(iter(draws).__next__).pick(states).name == picked


def test_idle_backends_are_drawn_by_weight() -> None:
    states = backends(1, 2, 5)
    balance = RandomTwo(Random(1).random)
    picks = Counter(balance.pick(states).index for _ in range(8000))
    assert [picks[0], picks[1], picks[2]] == pytest.approx([1000, 2000, 5000], rel=0.1)


@given(
    weights=st.lists(st.integers(1, 10**6), min_size=1, max_size=6),
    draws=st.tuples(*[st.floats(0, NEARLY_ONE)] * 2),
)
def test_of_two_different_ones_the_busier_is_never_picked(
    weights: list[int], draws: tuple[float, float]
) -> None:
    states = backends(*weights)
    for state in states:
        state.active = state.weight * (1 + state.index)
    picked = RandomTwo(iter(draws).__next__).pick(states)
    assert picked in states
    assert len(states) == 1 or picked is not states[-1]
