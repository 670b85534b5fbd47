"""Passive checks: a backend that connections fail to reach gets none for a while."""

import math
from dataclasses import dataclass

from spliceproxy.policy.backoff import Backoff
from spliceproxy.policy.jitter import jittered


@dataclass(frozen=True, slots=True)
class EjectionRules:
    """When and for how long a backend is ejected."""

    backoff: Backoff
    """How long, by the ejections that came soon after one another."""
    after: int = 3
    """Connects failed in a row that eject it."""
    jitter: float = 0.1
    """How much each ejection differs in length, as a fraction of it."""


@dataclass(slots=True)
class Ejection:
    """What connections to one backend have met.

    After an ejection the backend is on probation: one failure ejects it again, for longer, until
    a connection succeeds. The length starts over when the backend was in for the longest one.
    """

    until_s: float = -math.inf
    ejections: int = 0
    failures: int = 0
    """Connects failed in a row."""
    on_probation: bool = False
    passed: int = 0
    """Checks passed in a row since it was ejected."""
    error: str = ""
    """What the last connect failed with; empty if it succeeded."""

    def ejected(self, now_s: float) -> bool:
        """Whether it is ejected now."""
        return now_s < self.until_s

    def on_failure(self, rules: EjectionRules, now_s: float, draw: float, error: str) -> None:
        """Count a connect that has failed."""
        if self.ejected(now_s):
            return  # it began before; those that fail together eject once
        self.failures += 1
        self.error = error
        if self.failures < (1 if self.on_probation else rules.after):
            return
        if now_s - self.until_s >= rules.backoff.longest_s:
            self.ejections = 0
        self.ejections += 1
        delay_s = rules.backoff.delay_s(self.ejections)
        self.until_s = now_s + jittered(delay_s, rules.jitter, draw)
        self.failures = 0
        self.passed = 0
        self.on_probation = True

    def adopt(self, until_s: float, ejections: int) -> None:
        """Take over an ejection that somebody else has decided on, or ended."""
        self.until_s = until_s
        self.ejections = ejections
        self.failures = self.passed = 0
        self.on_probation = True

    def on_success(self, now_s: float) -> None:
        """Count a connect that has succeeded."""
        if not self.ejected(now_s):
            self.failures = 0
            self.on_probation = False
            self.error = ""

    def on_check(self, now_s: float, rise: int, *, passed: bool) -> None:
        """End the ejection early when that many checks in a row have passed since it began."""
        if self.ejected(now_s):
            self.passed = self.passed + 1 if passed else 0
            if self.passed >= rise:
                self.until_s = now_s
