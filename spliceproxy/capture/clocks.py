"""Clocks of a capture: whoever sets one moves no event.

Within a segment time goes by CLOCK_MONOTONIC, which nobody sets. Where the wall clock was set
between two segments of a writer, the two clocks in their headers are apart by another offset. All
offsets that writers have so in common belong to one run of the machine, and all its times are told
by the last of them: a clock is set because it was wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from spliceproxy.formats.capture.layout import SegmentHeader

_SAME_NS = 100 * 10**6
"""A process that is held up reads the two clocks at different moments. They don't drift apart: both
go at the rate that NTP gives them (adjtimex(2))."""

_Segment = tuple[int, int]  # a writer, and the number of its segment


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The wall clock was set between a segment and the one before."""

    writer: int
    segment: int
    by_ns: int
    """Forward; or back, if it is negative."""

    def __str__(self) -> str:
        way = "back" if self.by_ns < 0 else "forward"
        where = f"segment {self.segment:06d} of writer {self.writer:016x}"
        return f"the clock was set {way} by {abs(self.by_ns) / 1e9:.1f} s before {where}"


def jump_between(before: SegmentHeader, header: SegmentHeader) -> ClockJump | None:
    """Return how the wall clock was set between two segments of a writer; None: it was not."""
    by_ns = _offset(header) - _offset(before)
    return ClockJump(header.writer, header.segment, by_ns) if abs(by_ns) > _SAME_NS else None


@dataclass(slots=True)
class CaptureClocks:
    """What is to be added to the times of which segment."""

    jumps: list[ClockJump] = field(default_factory=list)
    overlap_ns: int = 0
    """So much of it was written in two runs of the machine, by their clocks."""
    _shifts: dict[_Segment, int] = field(default_factory=dict)

    @classmethod
    def of(cls, headers: Iterable[SegmentHeader]) -> "CaptureClocks":
        """Find out by the headers of segments."""
        clocks = cls()
        ordered = sorted(headers, key=lambda header: (header.writer, header.segment))
        runs = _Runs(ordered)
        for before, header in pairwise(ordered):
            jump = jump_between(before, header) if before.writer == header.writer else None
            if jump is not None:
                clocks.jumps.append(jump)
                runs.join(before, header)
        for run in runs.all():
            last = max(run, key=lambda header: header.monotonic_ns)
            for header in run:
                by_ns = _offset(last) - _offset(header)
                if abs(by_ns) > _SAME_NS:
                    clocks._shifts[header.writer, header.segment] = by_ns
        clocks.overlap_ns = _overlap_ns(clocks, runs.all())
        return clocks

    def hints(self) -> list[str]:
        """Return what a reader should know, a line each."""
        hints = []
        if self.jumps:
            largest = max(self.jumps, key=lambda jump: abs(jump.by_ns))
            others = len(self.jumps) - 1
            more = f", as between {others} other pairs of segments" if others else ""
            hints.append(f"{largest}{more}; earlier times are told by the clock as it was set last")
        if self.overlap_ns:
            hints.append(
                f"{self.overlap_ns / 1e9:.1f} s were captured by the clocks of two machines, or of"
                " one that was started again with its clock behind: what came first is not known"
            )
        return hints

    def shift_ns(self, writer: int, segment: int) -> int:
        """Return what is to be added to the times of a segment."""
        return self._shifts.get((writer, segment), 0)

    def corrected(self, header: SegmentHeader) -> SegmentHeader:
        """Return a header whose wall clock is that of the others."""
        shift_ns = self.shift_ns(header.writer, header.segment)
        return replace(header, wall_ns=header.wall_ns + shift_ns) if shift_ns else header


def _offset(header: SegmentHeader) -> int:
    return header.wall_ns - header.monotonic_ns


class _Runs:
    """Segments by the run of the machine that they belong to."""

    def __init__(self, headers: Iterable[SegmentHeader]) -> None:
        self._run_of: dict[_Segment, list[SegmentHeader]] = {}
        run: list[SegmentHeader] = []
        for header in sorted(headers, key=_offset):
            if run and _offset(header) - _offset(run[-1]) > _SAME_NS:
                run = []
            run.append(header)
            self._run_of[header.writer, header.segment] = run

    def join(self, one: SegmentHeader, other: SegmentHeader) -> None:
        """Have two segments belong to the same run, since a writer does not outlive one."""
        kept = self._run_of[one.writer, one.segment]
        gone = self._run_of[other.writer, other.segment]
        if kept is not gone:
            kept += gone
            for header in gone:
                self._run_of[header.writer, header.segment] = kept

    def all(self) -> list[list[SegmentHeader]]:
        """Return them all."""
        return list({id(run): run for run in self._run_of.values()}.values())


def _overlap_ns(clocks: CaptureClocks, runs: list[list[SegmentHeader]]) -> int:
    spans = []
    for run in runs:
        begun = [clocks.corrected(header).wall_ns for header in run]
        spans.append((min(begun), max(begun)))
    spans.sort()
    most_ns, until_ns = 0, 0
    for first_ns, last_ns in spans:
        most_ns = max(most_ns, min(until_ns, last_ns) - first_ns)
        until_ns = max(until_ns, last_ns)
    return most_ns if most_ns > _SAME_NS else 0
