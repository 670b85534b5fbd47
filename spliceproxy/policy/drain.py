"""How many connections may stay while a drain goes on.

Clients that are cut off come back. If all were cut off at once at the end of the window, they
would come back at once, and meet whoever has taken over all together.
"""

SPREAD_PART = 1 / 3
"""In this last part of the window connections are ended bit by bit; before it none is."""


def spread_from_s(window_s: float) -> float:
    """Return how long after the start of the window the first connection may be ended."""
    return window_s * (1 - SPREAD_PART)


def may_stay(count: int, elapsed_s: float, window_s: float) -> int:
    """Return how many may be left now, of ``count`` that were there when the spread began.

    As many as the part of the spread that is still to come, rounded up: the last one may stay
    until the window closes. Connections that end by themselves are not made up for.
    """
    if elapsed_s >= window_s:
        return 0
    left = (window_s - elapsed_s) / (window_s * SPREAD_PART)
    return min(count, -int(-(count * left) // 1))
