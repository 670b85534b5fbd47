from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.balance.first import First
from spliceproxy.policy.balance.names import BALANCE_NAMES, BalanceName, make_pool
from spliceproxy.policy.balance.pool import Pool, Shortage
from spliceproxy.policy.balance.state import BackendState

# Each letter is a backend: up, down, ejected, full; a capital one is a backup.
KINDS: dict[str, dict[str, int]] = {
    "u": {"up": True},
    "d": {"up": False},
    "e": {"up": False, "ejected": True},
    "f": {"up": True, "active": 3, "max_connections": 3},
}


def pool_of(kinds: str) -> tuple[Pool, list[BackendState]]:
    states = []
    for index, kind in enumerate(kinds):
        state = BackendState(index, str(index), tier=int(kind.isupper()))
        for field, value in KINDS[kind.lower()].items():
            setattr(state, field, value)
        states.append(state)
    return Pool(states, First()), states


@pytest.mark.parametrize(
    ("kinds", "order", "end"),
    [
        ("uuu", [0, 1, 2], Shortage.TRIED),
        ("duu", [1, 2], Shortage.TRIED),
        ("Uuu", [1, 2, 0], Shortage.TRIED),  # a backup comes after the primaries
        ("Udd", [0], Shortage.TRIED),
        ("dU", [1], Shortage.TRIED),
        ("fU", [], Shortage.FULL),  # a full primary is waited for
        ("ufU", [0], Shortage.FULL),
        ("dF", [], Shortage.FULL),
        ("dd", [], Shortage.DOWN),
        ("", [], Shortage.DOWN),
        ("ee", [0, 1], Shortage.TRIED),  # ejected is better than nobody
        ("eu", [1, 0], Shortage.TRIED),
        ("eUd", [1, 0], Shortage.TRIED),
        ("de", [1], Shortage.TRIED),
    ],
)
def test_the_order_and_why_it_ends(kinds: str, order: list[int], end: Shortage) -> None:
    pool, states = pool_of(kinds)
    assert [state.index for state in pool.order()] == order
    assert pool.choose(tried=[states[index] for index in order]) is end


def test_the_order_follows_what_happens_meanwhile() -> None:
    pool, states = pool_of("uuu")
    order = pool.order()
    assert next(order) is states[0]
    states[1].up = False
    assert next(order) is states[2]


def test_room_that_is_made_is_found() -> None:
    pool, states = pool_of("f")
    assert pool.choose() is Shortage.FULL
    states[0].active -= 1
    assert pool.choose() is states[0]


@pytest.mark.parametrize(("active", "full"), [(2, False), (3, True), (4, True)])
def test_full(active: int, full: bool) -> None:
    assert BackendState(0, "a", max_connections=3, active=active).full is full


def test_indexes_are_places() -> None:
    with pytest.raises(ValueError, match="indexes"):
        Pool([BackendState(1, "a")], First())


def test_a_weight_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="weight"):
        BackendState(0, "a", weight=0)


@pytest.mark.parametrize("name", BALANCE_NAMES)
@given(
    kinds=st.lists(st.sampled_from("udefUDEF"), max_size=7).map("".join),
    draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=20, max_size=20),
    client=st.binary(max_size=16),
)
def test_any_balance_offers_each_once_and_none_that_is_down_or_full(
    name: BalanceName, kinds: str, draws: list[float], client: bytes
) -> None:
    _, states = pool_of(kinds)
    pool = make_pool(name, states, iter(draws).__next__)
    offered = list(islice(pool.order(client), len(states) + 1))
    assert len({state.index for state in offered}) == len(offered)
    assert all((state.up or state.ejected) and not state.full for state in offered)
    if not any(state.full for state in states):
        assert len(offered) == sum(state.up or state.ejected for state in states)


@pytest.mark.parametrize("name", ["round_robin", "least_connections"])
def test_workers_start_at_different_places(name: BalanceName) -> None:
    firsts = []
    for skipped in range(5):
        states = [BackendState(index, str(index)) for index in range(3)]
        pool = make_pool(name, states, lambda: 0.0, skipped_turns=skipped)
        firsts.append(next(pool.order()).index)
    assert firsts == [0, 1, 2, 0, 1]


def test_two_backends_are_balanced_too() -> None:
    states = [BackendState(index, str(index)) for index in range(2)]
    pool = make_pool("round_robin", states, lambda: 0.0)
    assert [next(pool.order()).index for _ in range(4)] == [0, 1, 0, 1]
