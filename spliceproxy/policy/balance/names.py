"""The ways of balancing by the names that a configuration has for them."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from spliceproxy.policy.balance.first import First
from spliceproxy.policy.balance.least_connections import LeastConnections
from spliceproxy.policy.balance.pool import Balance, Pool
from spliceproxy.policy.balance.random_two import RandomTwo
from spliceproxy.policy.balance.round_robin import RoundRobin
from spliceproxy.policy.balance.source_hash import SourceHash
from spliceproxy.policy.balance.state import BackendState

BalanceName = Literal["round_robin", "least_connections", "random_two", "source_hash", "first"]
BALANCE_NAMES: tuple[BalanceName, ...] = get_args(BalanceName)


def make_pool(
    name: BalanceName,
    states: Sequence[BackendState],
    random: Callable[[], float],
    *,
    skipped_turns: int = 0,
) -> Pool:
    """Make a pool that balances in the way of that name.

    Args:
        name: The way.
        states: The backends.
        random: Returns numbers of 0 to below 1.
        skipped_turns: How far to go ahead in a round robin. Different workers skip differently,
            or the first connection of each would meet at the same backend.
    """
    balance = _make_balance(name, states, random)
    if isinstance(balance, RoundRobin | LeastConnections) and states:
        for _ in range(skipped_turns % len(states)):
            balance.pick(states)
    return Pool(states, balance)


def _make_balance(
    name: BalanceName, states: Sequence[BackendState], random: Callable[[], float]
) -> Balance:
    match name:
        case "round_robin":
            return RoundRobin()
        case "least_connections":
            return LeastConnections()
        case "random_two":
            return RandomTwo(random)
        case "source_hash":
            return SourceHash(states)
        case "first":
            return First()
