"""Two captures, or three, compared: recorded answers, new ones, and those of the old version."""

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from spliceproxy.compare.alignment import align
from spliceproxy.compare.answer_reader import AnswerReader, ending
from spliceproxy.compare.fingerprint_tally import FingerprintTally, TalliedDifference
from spliceproxy.compare.first_difference import first_difference
from spliceproxy.compare.gathered_capture import GatheredCapture, GatheredConnection
from spliceproxy.compare.ignored import IgnorePatterns
from spliceproxy.compare.latencies import Latencies
from spliceproxy.compare.noise import NoiseLimits
from spliceproxy.compare.pair_tally import PairTally, PlaceOfAnswers
from spliceproxy.compare.report_file import ReportFile
from spliceproxy.errors import UsageProblem, quote
from spliceproxy.framing.wire_protocol import WireProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """As the command line has it; `docs/compare.md` tells what each one means."""

    recorded: Path
    answers: Path | None = None
    """A replay against the new version; None: the new answers are those of mirrors."""
    noise: Path | None = None
    """A replay against the old version."""
    protocol: WireProtocol | None = None
    """None: guessed for each connection."""
    ignored: IgnorePatterns = field(default_factory=IgnorePatterns)
    limits: NoiseLimits = field(default_factory=NoiseLimits)
    samples: int = 3
    """That are kept of each fingerprint."""
    mirror: str | None = None
    """Whose answers are compared, with ``*`` and ``?``, if they are a mirror's; None: all."""
    old_mirror: str | None = None
    """In whose answers is noise."""

    @property
    def new(self) -> str:
        """Whose answers are compared, for people."""
        return f"mirrors {self.mirror or '*'}" if self.answers is None else str(self.answers)

    @property
    def old(self) -> str | None:
        """Whose answers tell what is noise, for people."""
        if self.answers is None:
            return self.old_mirror and f"mirrors {self.old_mirror}"
        return None if self.noise is None else str(self.noise)


@dataclass(slots=True)
class CompareResult:
    """What was compared, and what was not; the differences, those that count first."""

    connections: int = 0
    answers: int = 0
    unmatched: int = 0
    """Recorded connections that were not replayed."""
    strangers: int = 0
    """Replayed ones whose recorded connection is not in the capture."""
    incomplete: int = 0
    """Recorded ones of which bytes are missing: their answers can't be framed."""
    complaints: list[str] = field(default_factory=list)
    """What of captures could not be read, and where."""
    protocols: dict[str, int] = field(default_factory=dict)
    """How many connections spoke which."""
    differences: list[TalliedDifference] = field(default_factory=list)
    noise: list[TalliedDifference] = field(default_factory=list)
    """Differences that do not count."""
    latencies: dict[str, Latencies] = field(default_factory=dict)
    """By capture: ``recorded``, ``new``, ``old`` (replayed, for noise)."""
    is_live: bool = False
    """The answers are those of mirrors, and not of a replay."""
    cut_off: int = 0
    """Connections that were compared up to where a mirror was cut off, or bytes are missing."""
    far_behind: int = 0
    """So that answers of the others had to go."""
    begun_before: int = 0
    under_way: int = 0
    """That have not ended yet."""
    forgotten: int = 0
    """Whose end has never come."""

    def conclude(self, tally: FingerprintTally, limits: NoiseLimits | None) -> None:
        """Take over what has been counted so far; again and again, if there is more."""
        self.answers = tally.answers
        self.differences, self.noise = [], []
        for found in tally.tallied(limits):
            counts = found.counts.counts(limits)
            (self.differences if counts else self.noise).append(found)


class Comparison:
    """Reads each capture once; then, for each connection, what was recorded and replayed of it."""

    def __init__(self, options: CompareOptions, report: ReportFile) -> None:
        """Find out which connections belong together.

        Raises:
            UsageProblem: a directory has no capture, or none that fits the first one.
        """
        assert options.answers is not None  # noqa: S101 - else it is the live one's business
        self._options = options
        self._tally = FingerprintTally(report, options.samples)
        self._pairs = PairTally(self._tally, options.ignored)
        self._result = CompareResult()
        with ExitStack() as opened:
            self._new = opened.enter_context(closing(_Replayed(options.answers)))
            self._old = None
            if options.noise is not None:
                self._old = opened.enter_context(closing(_Replayed(options.noise)))
            recorded = GatheredCapture(options.recorded, self._new.originals)
            self._recorded = opened.enter_context(closing(recorded))
            self._opened = opened.pop_all()
        names = ("recorded", "new") if self._old is None else ("recorded", "new", "old")
        self._result.latencies = {name: Latencies() for name in names}

    def run(self) -> CompareResult:
        """Compare all connections, and write what was found into the report.

        Raises:
            UsageProblem: nothing was replayed of what was recorded.
        """
        result = self._result
        for connection in self._recorded.connections.values():
            if not connection.facts.mirror:
                self._compare(connection)
        captures = [self._recorded.capture, self._new.capture]
        captures += [] if self._old is None else [self._old.capture]
        result.complaints = [
            f"{problem.path}: {problem.what}"
            for capture in captures
            for problem in capture.unreadable
        ]
        if not result.connections and not result.incomplete:
            raise UsageProblem(
                f"{quote(str(self._options.answers))} has nothing of what is in"
                f" {quote(str(self._options.recorded))}",
                next(iter(result.complaints), _EXPECTED),
            )
        result.strangers = self._new.left
        result.conclude(self._tally, None if self._old is None else self._options.limits)
        return result

    def close(self) -> None:
        """Give up what is open."""
        self._opened.close()

    def _compare(self, recorded: GatheredConnection) -> None:
        copies = self._new.take(recorded)
        if not copies:
            self._result.unmatched += 1
            return
        if recorded.facts.gaps or recorded.facts.begins_mid_stream:
            self._result.incomplete += 1
            return
        self._result.connections += 1
        protocol = None
        for copy in copies:
            protocol = self._compare_with(recorded, copy, protocol, is_noise=False)
        for copy in [] if self._old is None else self._old.take(recorded):
            self._compare_with(recorded, copy, protocol, is_noise=True)
        if protocol is not None:
            count = self._result.protocols.get(protocol.name, 0)
            self._result.protocols[protocol.name] = count + 1

    def _compare_with(
        self,
        recorded: GatheredConnection,
        copy: GatheredConnection,
        protocol: WireProtocol | None,
        *,
        is_noise: bool,
    ) -> WireProtocol:
        latencies = self._result.latencies
        is_first = protocol is None
        ours = AnswerReader(
            recorded,
            protocol or self._options.protocol,
            latencies["recorded"] if is_first else Latencies(),
        )
        theirs = AnswerReader(copy, ours.protocol, latencies["old" if is_noise else "new"])
        where = PlaceOfAnswers(str(recorded.facts.id), is_noise=is_noise)
        for one, other in align(ours.frames(), theirs.frames()):
            where.time_ns = ours.time_ns
            self._pairs.compare(one, other, where, lambda: first_difference(recorded, copy))
        self._pairs.compare_endings(ending(recorded.facts), ending(copy.facts), where)
        return ours.protocol


_EXPECTED = "expected what spliceproxy replay --record has written of that capture"


class _Replayed:
    """Connections of a replay, by the recorded ones that they repeat."""

    def __init__(self, path: Path) -> None:
        self._gathered = GatheredCapture(path)
        self.capture = self._gathered.capture
        self._copies: dict[str, list[GatheredConnection]] = {}
        for connection in self._gathered.connections.values():
            original = str(connection.facts.facts.get("replay_of", ""))
            self._copies.setdefault(original, []).append(connection)
        self.originals = frozenset(self._copies)

    def take(self, recorded: GatheredConnection) -> list[GatheredConnection]:
        return self._copies.pop(str(recorded.facts.id), [])

    @property
    def left(self) -> int:
        return sum(map(len, self._copies.values()))

    def close(self) -> None:
        self._gathered.close()
