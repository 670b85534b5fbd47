"""Which differences count: those that two runs of the old version do not have among themselves.

The rule is Diffy's (https://github.com/opendiffy/diffy): raw differences are those between recorded
and new answers, noise is what lies between recorded answers and the old version's in a replay.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoiseLimits:
    """What raw differences have to exceed; both as fractions."""

    relative: float = 0.20
    """Of raw and noise together. Diffy's value, as is the next one."""
    absolute: float = 0.0003
    """Of all answers."""


@dataclass(slots=True)
class DifferenceCounts:
    """Of one fingerprint."""

    raw: int = 0
    noise: int = 0
    answers: int = 0
    """That were compared, to requests of that kind."""
    noise_answers: int = 0
    """The same, for noise; it may be fewer of them."""

    @property
    def scaled_noise(self) -> float:
        """Noise, as if as many answers had been compared for it."""
        if not self.noise_answers:
            return float(self.noise)
        return self.noise * max(1, self.answers) / self.noise_answers

    @property
    def weight(self) -> float:
        """How many answers differ beyond noise."""
        return self.raw - self.scaled_noise

    def counts(self, limits: NoiseLimits | None) -> bool:
        """Whether it is a difference; without limits, for want of noise, each is."""
        if limits is None:
            return self.raw > 0
        excess, both = self.weight, self.raw + self.scaled_noise
        if excess <= 0:
            return False
        is_clear = excess / both > limits.relative
        return is_clear and excess / max(1, self.answers) > limits.absolute
