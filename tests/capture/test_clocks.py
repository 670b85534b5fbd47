"""Clocks that are set, and machines that are started again, while a capture is written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import spliceproxy.capture
from spliceproxy.capture import Data, Event, to_pcapng
from spliceproxy.capture.clocks import CaptureClocks
from spliceproxy.capture.follow import Follower
from spliceproxy.formats.capture.layout import SegmentHeader
from tests.capture.recorded import BEGAN_NS, Recorded

HOUR_MS = 3_600_000
SECOND_NS = 10**9

STEPS = st.lists(st.tuples(st.integers(1, 1000), st.integers(-90_000, 90_000)), max_size=4)
WRITERS = st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=5), min_size=1, max_size=4)


def headers_of(steps: list[tuple[int, int]], writers: list[list[int]]) -> list[SegmentHeader]:
    """A machine whose clock is set at some seconds by some seconds; when which segments begin."""
    return [
        SegmentHeader(
            *(writer, number),
            wall_ns=BEGAN_NS
            + (at_s + sum(by_s for when_s, by_s in steps if when_s <= at_s)) * SECOND_NS,
            monotonic_ns=at_s * SECOND_NS,
        )
        for writer, begun in enumerate(writers)
        for number, at_s in enumerate(sorted(begun))
    ]


def offset(header: SegmentHeader) -> int:
    return header.wall_ns - header.monotonic_ns


@given(steps=STEPS, writers=WRITERS)
def test_each_writer_has_one_clock(steps: list[tuple[int, int]], writers: list[list[int]]) -> None:
    headers = headers_of(steps, writers)
    clocks = CaptureClocks.of(headers)
    for writer in range(len(writers)):
        offsets = {offset(clocks.corrected(each)) for each in headers if each.writer == writer}
        assert len(offsets) == 1
    if len({offset(header) for header in headers}) == 1:
        assert (clocks.jumps, clocks.overlap_ns) == ([], 0)


@given(steps=STEPS, writers=WRITERS)
def test_one_that_was_there_all_the_time_tells_the_clock_of_all(
    steps: list[tuple[int, int]], writers: list[list[int]]
) -> None:
    every_second = list(range(1001))
    headers = headers_of(steps, [*writers, every_second])
    clocks = CaptureClocks.of(headers)
    assert {offset(clocks.corrected(header)) for header in headers} == {offset(headers[-1])}
    assert clocks.overlap_ns == 0


def test_machines_that_were_started_again_are_left_as_they_are() -> None:
    first = SegmentHeader(1, 0, BEGAN_NS, 5000 * SECOND_NS)
    second = SegmentHeader(2, 0, BEGAN_NS + 100 * SECOND_NS, 10 * SECOND_NS)
    clocks = CaptureClocks.of([first, second])
    assert [clocks.corrected(header) for header in (first, second)] == [first, second]
    assert clocks.hints() == []


def test_overlaps_of_two_machines_are_told() -> None:
    headers = [
        SegmentHeader(1, 0, BEGAN_NS, 5000 * SECOND_NS),
        SegmentHeader(1, 1, BEGAN_NS + 300 * SECOND_NS, 5300 * SECOND_NS),
        SegmentHeader(2, 0, BEGAN_NS + 100 * SECOND_NS, 10 * SECOND_NS),
        SegmentHeader(2, 1, BEGAN_NS + 400 * SECOND_NS, 310 * SECOND_NS),
    ]
    clocks = CaptureClocks.of(headers)
    assert clocks.overlap_ns == 200 * SECOND_NS
    [hint] = clocks.hints()
    assert hint.startswith("200.0 s were captured by the clocks of two machines")


def test_a_clock_that_two_reads_have_apart_was_not_set() -> None:
    near = SegmentHeader(1, 1, BEGAN_NS + 300 * SECOND_NS + 50 * 10**6, 300 * SECOND_NS)
    clocks = CaptureClocks.of([SegmentHeader(1, 0, BEGAN_NS, 0), near])
    assert (clocks.jumps, clocks.corrected(near)) == ([], near)


def record(directory: Path, jump_ms: int) -> None:
    """The clock is set in the middle of the first connection of two workers' three."""
    recorded = Recorded(directory)
    recorded.open(1, 0)
    recorded.data(1, b"a", 1)
    recorded.next_segment(jump_ms)
    recorded.open(1, 5, is_continued=True)
    recorded.data(1, b"b", 6, offset=1)
    recorded.close(1, 7)
    recorded.open(2, 20)
    recorded.data(2, b"d", 21)
    recorded.close(2, 22)
    recorded.seal()
    later = Recorded(directory, writer=2, jump_ms=jump_ms)
    later.open(1, 10)
    later.data(1, b"c", 11)
    later.close(1, 12)
    later.seal()


@pytest.mark.parametrize("jump_ms", [-HOUR_MS, HOUR_MS])
def test_nothing_goes_back_or_jumps(tmp_path: Path, jump_ms: int) -> None:
    record(tmp_path, jump_ms)
    capture = spliceproxy.capture.open(tmp_path)
    events = list(capture.events())
    began_ns = BEGAN_NS + jump_ms * 10**6
    assert [event.time_ns - began_ns for event in events] == [
        ms * 10**6 for ms in (0, 1, 5, 6, 7, 10, 11, 12, 20, 21, 22)
    ]
    assert b"".join(event.data for event in events if isinstance(event, Data)) == b"abcd"
    [first] = [each for each in capture.connections() if each.request_bytes == 2]
    assert (first.began_ns, first.last_ns - first.began_ns) == (began_ns, 7 * 10**6)
    again = capture.connection(first.id)
    assert again is not None
    assert [event.time_ns for event in again.events()] == [
        event.time_ns for event in events if event.connection == first.id
    ]
    assert b"".join(to_pcapng(capture.events()))
    [hint] = capture.clocks.hints()
    way = "back" if jump_ms < 0 else "forward"
    assert hint == (
        f"the clock was set {way} by 3600.0 s before segment 000001 of writer 0000000000000001;"
        " earlier times are told by the clock as it was set last"
    )


def test_whoever_follows_is_told(tmp_path: Path) -> None:
    Recorded(tmp_path, writer=2).seal()
    follower = Follower(tmp_path)
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.next_segment(-HOUR_MS)
    recorded.close(1)
    recorded.next_segment()
    recorded.open(2)
    recorded.seal()
    found: list[Event] = []
    while len(found) < 3:
        found += follower.poll()
    follower.close()
    assert [jump.by_ns for jump in follower.jumps] == [-3600 * SECOND_NS]
    assert follower.unreadable == []
