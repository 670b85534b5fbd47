"""How long to wait before trying again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles the delay with every failure in a row, up to a limit."""

    first_s: float
    longest_s: float

    def delay_s(self, failures: int) -> float:
        """Delay after that many failures in a row (1, 2, …)."""
        doublings = min(failures - 1, 30)  # far past any limit, and no overflow
        return min(self.first_s * 2.0**doublings, self.longest_s)
