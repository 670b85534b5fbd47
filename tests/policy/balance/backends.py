"""Backends to balance between."""

from spliceproxy.policy.balance.state import BackendState


def backends(*weights: int) -> list[BackendState]:
    """Return backends a, b, c, … of these weights."""
    return [
        BackendState(index, chr(ord("a") + index), weight) for index, weight in enumerate(weights)
    ]
