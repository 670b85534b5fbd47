"""Active checks: how many in a row must pass or fail before a backend is up or down."""

from dataclasses import dataclass

from spliceproxy.policy.jitter import jittered


@dataclass(frozen=True, slots=True)
class CheckRules:
    """How a backend is checked."""

    interval_s: float
    rise: int = 2
    """Checks passed in a row that bring a backend up."""
    fall: int = 3
    """Checks failed in a row that bring it down."""
    jitter: float = 0.1
    """How much each interval differs, as a fraction of it."""


@dataclass(slots=True)
class CheckedState:
    """What the checks of one backend have said.

    It starts as up and is due at once. The first check alone decides: connections should not
    have to find out, one after the other, that a backend was dead from the start.
    """

    due_s: float
    """When to check next."""
    up: bool = True
    checked: bool = False
    passed: int = 0
    """Checks passed in a row."""
    failed: int = 0
    """Checks failed in a row."""
    error: str = ""
    """What the last check failed with; empty if it passed."""

    def on_result(self, rules: CheckRules, now_s: float, draw: float, error: str) -> None:
        """Count a check that has ended, with an error unless that is empty."""
        if error:
            self.passed, self.failed = 0, self.failed + 1
            self.up = self.up and self.checked and self.failed < rules.fall
        else:
            self.passed, self.failed = self.passed + 1, 0
            self.up = self.up or self.passed >= rules.rise
        self.checked = True
        self.error = error
        self.postpone(rules, now_s, draw)

    def postpone(self, rules: CheckRules, now_s: float, draw: float) -> None:
        """Let the next check be due an interval from now."""
        self.due_s = now_s + jittered(rules.interval_s, rules.jitter, draw)

    def reason(self, rules: CheckRules) -> str:
        """Say why the backend is up or down, and how near the other is."""
        if not self.checked:
            return "not checked yet"
        if self.error:
            progress = f" ({self.failed} of {rules.fall})" if self.up else ""
            return f"check failed{progress}: {self.error}"
        progress = "" if self.up else f" ({self.passed} of {rules.rise})"
        return f"check passed{progress}"
