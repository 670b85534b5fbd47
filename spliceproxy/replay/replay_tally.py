"""What a replay has done so far, and its summary."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from spliceproxy.replay.lags import Lags

Outcome = Literal["replayed", "failed", "skipped", "interrupted"]


@dataclass(slots=True)
class PlayResult:
    """What became of one connection, or of one copy of it."""

    id: str
    copy: int
    outcome: Outcome = "interrupted"
    reason: str = ""
    began_s: float = 0.0
    """Since 1970; 0: it has not."""
    duration_s: float = 0.0
    lag_s: float = 0.0
    """The most that anything of it was late."""
    sent_bytes: int = 0
    answer_bytes: int = 0
    recorded_answer_bytes: int = 0


@dataclass(slots=True)
class ReplayTally:
    """Counts connections with their copies."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    filtered: int = 0
    done_before: int = 0
    """By the checkpoint."""
    without_end: int = 0
    """The capture does not have how they ended."""
    answer_timeouts: int = 0
    ends_missing: int = 0
    """Of answers: the target did not end them as the backend had."""
    begun: int = 0
    first_begun_s: float = 0.0
    last_begun_s: float = 0.0
    first_due_s: float | None = None
    last_due_s: float = 0.0
    sent_bytes: int = 0
    answer_bytes: int = 0
    recorded_answer_bytes: int = 0
    lags: Lags = field(default_factory=Lags)

    def due(self, at_s: float) -> None:
        """A connection is to begin at this time."""
        if self.first_due_s is None:
            self.first_due_s = at_s
        self.last_due_s = max(self.last_due_s, at_s)

    def began(self, now_s: float) -> None:
        """One begins."""
        if not self.begun:
            self.first_begun_s = now_s
        self.last_begun_s = now_s
        self.begun += 1

    def ended(self, result: PlayResult) -> None:
        """One is over, or never was."""
        self.outcomes[result.outcome] += 1
        if result.outcome == "failed":
            self.failed[result.reason] += 1
        elif result.outcome == "skipped":
            self.skipped[result.reason] += 1
        self.sent_bytes += result.sent_bytes
        self.answer_bytes += result.answer_bytes
        self.recorded_answer_bytes += result.recorded_answer_bytes

    @property
    def wanted_rate(self) -> float | None:
        """Connections a second by the timetable; None: there is no such rate."""
        return _rate(self.begun, self.last_due_s - (self.first_due_s or 0.0))

    @property
    def reached_rate(self) -> float | None:
        """Connections a second that have begun."""
        return _rate(self.begun, self.last_begun_s - self.first_begun_s)

    def summary(self, *, is_timed: bool, late: int) -> dict[str, object]:
        """Return it as it is printed; `late` ones had to wait for others to end."""
        lags = self.lags
        return {
            "connections": {
                "replayed": self.outcomes["replayed"],
                "failed": dict(self.failed),
                "skipped": dict(self.skipped),
                "interrupted": self.outcomes["interrupted"],
                "filtered": self.filtered,
                "done_before": self.done_before,
                "late": late,
                "without_end": self.without_end,
            },
            "bytes": {
                "sent": self.sent_bytes,
                "answers": self.answer_bytes,
                "recorded_answers": self.recorded_answer_bytes,
            },
            "answer_timeouts": self.answer_timeouts,
            "ends_missing": self.ends_missing,
            "lag_ms": {
                "p50": _ms(lags.percentile_s(0.5)),
                "p99": _ms(lags.percentile_s(0.99)),
                "max": _ms(lags.most_s),
            },
            "connections_per_second": {
                "wanted": _rounded(self.wanted_rate if is_timed else None),
                "reached": _rounded(self.reached_rate),
            },
        }


def _rate(count: int, span_s: float) -> float | None:
    return (count - 1) / span_s if count > 1 and span_s > 0 else None


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 3)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
