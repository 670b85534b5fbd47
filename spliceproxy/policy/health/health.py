"""What checks and connections say of a backend, taken together."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from spliceproxy.policy.health.checks import CheckedState, CheckRules
from spliceproxy.policy.health.ejection import Ejection, EjectionRules


class Condition(StrEnum):
    """Whether a backend gets connections, and if not, who has seen to that."""

    UP = "up"
    DOWN = "down"
    """Checks have failed."""
    EJECTED = "ejected"
    """Connects have failed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A backend's condition, and why."""

    condition: Condition
    reason: str

    @property
    def up(self) -> bool:
        """Whether it gets connections."""
        return self.condition is Condition.UP


@dataclass(frozen=True, slots=True)
class HealthRules:
    """How the health of a route's backends is judged; None leaves a kind of evidence out."""

    checks: CheckRules | None = None
    ejection: EjectionRules | None = None


@dataclass(slots=True)
class Health:
    """The health of one backend: plain values, so that it can be handed on across a reload.

    Times are of the one clock that its owner passes in; draws are random in [0, 1).
    """

    checked: CheckedState
    ejection: Ejection = field(default_factory=Ejection)

    @classmethod
    def at_start(cls, now_s: float) -> "Health":
        """Return the health of a new backend: up, and to be checked at once."""
        return cls(CheckedState(due_s=now_s))

    def on_check(self, rules: HealthRules, now_s: float, draw: float, error: str = "") -> None:
        """Take note of a check that has ended, with an error unless that is empty."""
        if rules.checks is not None:
            self.checked.on_result(rules.checks, now_s, draw, error)
            self.ejection.on_check(now_s, rules.checks.rise, passed=not error)

    def on_no_check(self, rules: HealthRules, now_s: float, draw: float) -> None:
        """Take note of a check that could not be made: of the backend nothing new is known."""
        if rules.checks is not None:
            self.checked.postpone(rules.checks, now_s, draw)

    def on_connect(self, rules: HealthRules, now_s: float, draw: float, error: str = "") -> None:
        """Take note of a connect that has ended, with an error unless that is empty."""
        if error and rules.ejection is not None:
            self.ejection.on_failure(rules.ejection, now_s, draw, error)
        elif not error:
            self.ejection.on_success(now_s)

    def check_due_s(self, rules: HealthRules) -> float:
        """Tell when to check next; never is infinity."""
        return math.inf if rules.checks is None else self.checked.due_s

    def changes_s(self, now_s: float) -> float:
        """Tell when the verdict changes by itself; never is infinity."""
        return self.ejection.until_s if self.ejection.ejected(now_s) else math.inf

    def verdict(self, rules: HealthRules, now_s: float) -> Verdict:
        """Judge the backend; checks weigh more, for being down does not end by itself."""
        if rules.checks is not None and not self.checked.up:
            return Verdict(Condition.DOWN, self.checked.reason(rules.checks))
        if rules.ejection is not None and self.ejection.ejected(now_s):
            return Verdict(Condition.EJECTED, f"connect failed: {self.ejection.error}")
        if rules.checks is None:
            return Verdict(Condition.UP, "not checked")
        return Verdict(Condition.UP, self.checked.reason(rules.checks))
