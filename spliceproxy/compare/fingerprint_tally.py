"""Counts of differences, by fingerprint; samples go to the report, so that memory has a bound."""

from collections import Counter
from dataclasses import dataclass, field

from spliceproxy.compare.differences import Difference, Fingerprint
from spliceproxy.compare.noise import DifferenceCounts, NoiseLimits
from spliceproxy.compare.report_file import DifferenceSample, ReportFile

MOST_FINGERPRINTS = 10_000
MOST_REQUESTS = 10_000
"""Kinds of requests whose answers are counted apart."""
OTHERS = "(others)"


@dataclass(slots=True)
class TalliedDifference:
    """All differences with one fingerprint."""

    fingerprint: Fingerprint
    number: int
    """In the report."""
    counts: DifferenceCounts = field(default_factory=DifferenceCounts)
    first_ns: int = 0
    """When the first recorded answer was given that a new one differs from, since 1970."""
    last_ns: int = 0
    samples: int = 0


class FingerprintTally:
    """Of one comparison."""

    def __init__(self, report: ReportFile, most_samples: int) -> None:
        self._report = report
        self._most_samples = most_samples
        self._tallied: dict[Fingerprint, TalliedDifference] = {}
        self._answers: Counter[str] = Counter()
        self._noise_answers: Counter[str] = Counter()

    def compared(self, request: str, *, is_noise: bool) -> None:
        """Count a pair of answers."""
        counter = self._noise_answers if is_noise else self._answers
        known = request in self._answers or len(self._answers) < MOST_REQUESTS
        counter[request if known else OTHERS] += 1

    def noise(self, difference: Difference) -> None:
        """Count a difference among runs of the old version."""
        self._of(difference.fingerprint).counts.noise += 1

    def differs(self, difference: Difference, time_ns: int, connection: str, asked: str) -> None:
        """Count a difference to the new version; the first ones are kept as samples."""
        found = self._of(difference.fingerprint)
        found.counts.raw += 1
        found.first_ns = min(found.first_ns or time_ns, time_ns)
        found.last_ns = max(found.last_ns, time_ns)
        if found.samples < self._most_samples:
            found.samples += 1
            sample = DifferenceSample(
                time_ns, connection, asked, difference.recorded, difference.new
            )
            self._report.add_sample(found.number, sample)

    def _of(self, fingerprint: Fingerprint) -> TalliedDifference:
        found = self._tallied.get(fingerprint)
        if found is None:
            if len(self._tallied) >= MOST_FINGERPRINTS:
                fingerprint = Fingerprint(OTHERS, fingerprint.level, OTHERS)
                found = self._tallied.get(fingerprint)
            if found is None:
                found = TalliedDifference(fingerprint, len(self._tallied) + 1)
                self._tallied[fingerprint] = found
        return found

    @property
    def answers(self) -> int:
        """How many pairs were compared with the new version."""
        return self._answers.total()

    def tallied(self, limits: NoiseLimits | None) -> list[TalliedDifference]:
        """Return all, those that count first, and the heaviest of them first."""
        for found in self._tallied.values():
            request = found.fingerprint.request
            request = request if request in self._answers else OTHERS
            found.counts.answers = self._answers[request]
            found.counts.noise_answers = self._noise_answers[request]

        def place(found: TalliedDifference) -> tuple[bool, float, int]:
            return not found.counts.counts(limits), -found.counts.weight, found.number

        return sorted(self._tallied.values(), key=place)
