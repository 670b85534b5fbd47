"""Ratios to the best peer within each round: all that a shared machine can tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

Values = Sequence[float | None]  # one a round; None where the measurement failed


@dataclass(frozen=True)
class Spread:
    """The median of some figures, and how far they lie apart."""

    median: float
    low: float
    high: float


def spread(values: Values) -> Spread | None:
    """Return the spread of the figures that there are, None if there are none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(median(known), min(known), max(known))


def best_by_round(baselines: Sequence[Values], *, is_higher_better: bool) -> list[float | None]:
    """Return the best baseline of each round."""
    best = max if is_higher_better else min
    rounds = zip(*baselines, strict=True)
    return [
        best((value for value in values if value is not None), default=None) for values in rounds
    ]


def to_best(values: Values, best: Values) -> list[float | None]:
    """Return value / best round by round, None for a round in which either is missing."""
    return [
        value / reference if value is not None and reference is not None and reference > 0 else None
        for value, reference in zip(values, best, strict=True)
    ]
