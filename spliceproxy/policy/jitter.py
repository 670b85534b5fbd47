"""Delays that are not all the same, so that what began together does not stay together."""


def jittered(delay_s: float, jitter: float, draw: float) -> float:
    """Return a delay up to a fraction `jitter` shorter or longer; `draw` is random in [0, 1)."""
    return delay_s * (1.0 + jitter * (2.0 * draw - 1.0))
