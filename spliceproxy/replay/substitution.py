"""Live values in the place of recorded ones: what all connections of a replay share, and counts."""

from collections.abc import Sequence

from spliceproxy.capture import ConnectionId
from spliceproxy.errors import quote
from spliceproxy.replay.content_length import fit_content_length
from spliceproxy.replay.live_values import AnswerValues, LiveValues
from spliceproxy.replay.recorded_values import RecordedValues, RequestValues, ValueSpot
from spliceproxy.replay.value_patterns import ValuePattern, ValueScanner

_MOST_OF_CONNECTION = 64
_MOST_OF_ALL = 1024
"""Each costs a request a search, of about 0.2 µs."""
_MOST_LIVE_OF_ALL = 16_384
"""Connections are not in step with the recording; those of a later one may come before."""


class Substitution:
    """Belongs to one run."""

    def __init__(self, patterns: Sequence[ValuePattern], copies: int, *, across: bool) -> None:
        self.made = 0
        self.without_value = 0
        """The target's answers had none in time, so that the recorded one was sent."""
        self.lengths_changed = 0
        """Pieces of requests that have got another length, which nothing puts right."""
        self._patterns = patterns
        self._recorded_matches = [0] * len(patterns)
        self._live_matches = [0] * len(patterns)
        self._recorded = RecordedValues(_MOST_OF_ALL) if across else None
        self._live = [LiveValues(_MOST_LIVE_OF_ALL) for _ in range(copies)] if across else None

    def recorded(self, connection: ConnectionId) -> RequestValues:
        """Return what finds values in a recorded connection."""
        values = self._recorded or RecordedValues(_MOST_OF_CONNECTION)
        scanner = ValueScanner(self._patterns)
        return RequestValues(connection, scanner, values, self._recorded_matches)

    def live(self, connection: ConnectionId, copy: int) -> AnswerValues:
        """Return what finds values in what the target answers."""
        values = self._live[copy] if self._live else LiveValues(_MOST_OF_CONNECTION)
        scanner = ValueScanner(self._patterns)
        return AnswerValues(connection, scanner, values, self._live_matches, self._fill)

    def _fill(
        self, data: bytes, spots: Sequence[ValueSpot], values: Sequence[bytes | None]
    ) -> bytes:
        """Return a piece of a request with live values; None: there is none."""
        parts: list[bytes] = []
        at = 0
        for spot, value in zip(spots, values, strict=True):
            if value is None:
                self.without_value += 1
                continue
            self.made += 1
            parts += (data[at : spot.start], value)
            at = spot.end
        filled = b"".join((*parts, data[at:]))
        if len(filled) == len(data):
            return filled
        repaired = fit_content_length(data, filled)
        self.lengths_changed += repaired is None
        return filled if repaired is None else repaired

    def summary(self) -> dict[str, object]:
        """Return it as it is printed."""
        return {
            "made": self.made,
            "without_value": self.without_value,
            "lengths_changed": self.lengths_changed,
            "matches": {
                pattern.text: {"recorded": recorded, "live": live}
                for pattern, recorded, live in zip(
                    self._patterns, self._recorded_matches, self._live_matches, strict=True
                )
            },
        }

    def hints(self) -> list[str]:
        """Return what the user should know, a line each."""
        hints: list[str] = []
        told: set[str] = set()
        for where, matches in (
            ("recorded answers", self._recorded_matches),
            ("answers of the target", self._live_matches),
        ):
            pairs = zip(self._patterns, matches, strict=True)
            never = {pattern.text for pattern, count in pairs if not count} - told
            if never:
                texts = ", ".join(quote(text) for text in sorted(never))
                hints.append(f"--substitute: {texts} never matched in {where}")
            told |= never
        if self.lengths_changed:
            hints.append(
                f"--substitute: {self.lengths_changed} pieces of requests have got another length,"
                " and a length that they may carry was not put right"
            )
        return hints
