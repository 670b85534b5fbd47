import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.balance.source_hash import SourceHash
from spliceproxy.policy.balance.state import BackendState

CLIENTS = [(0x0A000000 + number).to_bytes(4) for number in range(20_000)]


def pool(count: int, weight_of_first: int = 1) -> list[BackendState]:
    return [
        BackendState(index, f"10.0.0.{index}:80", 1 if index else weight_of_first)
        for index in range(count)
    ]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 10, 50])
def test_removing_one_moves_its_clients_alone_and_evenly(count: int) -> None:
    states = pool(count)
    balance = SourceHash(states)
    before = [balance.pick(states, client) for client in CLIENTS]
    after = [balance.pick(states[1:], client) for client in CLIENTS]
    moved = [new for old, new in zip(before, after, strict=True) if old is not new]
    assert len(moved) == before.count(states[0]) == pytest.approx(len(CLIENTS) / count, rel=0.15)
    if count <= 10:
        spread = Counter(state.index for state in moved)
        expected = len(moved) / (count - 1)
        # Five standard deviations; nothing is drawn, so the outcome is fixed.
        assert list(spread.values()) == pytest.approx(
            [expected] * (count - 1), abs=5 * expected**0.5
        )


@pytest.mark.parametrize("weight", [1, 2, 10])
def test_clients_are_spread_by_weight(weight: int) -> None:
    states = pool(4, weight)
    balance = SourceHash(states)
    picks = Counter(balance.pick(states, client).index for client in CLIENTS)
    expected = [len(CLIENTS) * state.weight / (weight + 3) for state in states]
    assert [picks[state.index] for state in states] == pytest.approx(expected, rel=0.07)


def test_the_name_counts_not_the_place() -> None:
    states = pool(5)
    shifted = [BackendState(index, each.name) for index, each in enumerate(states[1:])]
    balance, other = SourceHash(states), SourceHash(shifted)
    for client in CLIENTS[:500]:
        assert balance.pick(states[1:], client).name == other.pick(shifted, client).name


@given(client=st.binary(max_size=16), names=st.lists(st.text(), min_size=1, max_size=5))
def test_any_client_and_any_names(client: bytes, names: list[str]) -> None:
    states = [
        BackendState(index, name.encode("ascii", "replace").decode(), 10**6 if index else 1)
        for index, name in enumerate(names)
    ]
    balance = SourceHash(states)
    assert balance.pick(states, client) is balance.pick(states, client)


def test_every_process_agrees() -> None:
    script = (
        "from tests.policy.balance.test_source_hash import pool, CLIENTS, SourceHash\n"
        "print([SourceHash(pool(5)).pick(pool(5), client).index for client in CLIENTS[:99]])"
    )
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    states = pool(5)
    picks = [SourceHash(states).pick(states, client).index for client in CLIENTS[:99]]
    assert outcome.stdout.decode().strip() == str(picks)
    assert set(picks) == set(range(5))
