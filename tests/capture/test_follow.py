"""A capture, followed while it is written."""

import os
import shutil
from pathlib import Path

import pytest

from spliceproxy.capture import Data, Event, Opened
from spliceproxy.capture.follow import Follower
from spliceproxy.errors import UsageProblem
from tests.capture.growing import Growing
from tests.capture.recorded import Recorded
from tests.descriptors import no_descriptor_is_left_open

__all__ = ["no_descriptor_is_left_open"]


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def rest(follower: Follower) -> list[Event]:
    """All that there is by now."""
    events = follower.poll()
    while follower.is_behind:
        events += follower.poll()
    return events


def data_of(events: list[Event]) -> list[bytes]:
    return [event.data for event in events if isinstance(event, Data)]


def test_what_was_there_is_passed_over_but_for_who_talks(tmp_path: Path) -> None:
    sealed = Recorded(tmp_path, writer=2)
    sealed.open(1)
    sealed.data(1, b"long ago")
    sealed.seal()
    with Growing(tmp_path) as growing:
        growing.open(1, route="web")
        growing.data(1, b"before")
        growing.open(2)
        growing.close(2)
        growing.write()
        follower = Follower(tmp_path)
        assert rest(follower) == []
        growing.data(1, b"after", at_ms=5, offset=6)
        growing.write(is_whole=False)
        assert rest(follower) == []  # its checksum has not come
        growing.end_block()
        growing.write(is_whole=False)
        opened, data = rest(follower)
        assert isinstance(opened, Opened)
        assert (opened.facts["route"], opened.is_continued) == ("web", True)
        assert opened.time_ns == data.time_ns
        assert data_of([data]) == [b"after"]
        growing.close(1, at_ms=6)
        growing.write()
        assert kinds(rest(follower)) == ["Closed"]
        follower.close()
    assert follower.unreadable == []


def test_an_empty_directory_gets_segments_which_are_sealed_and_followed_by_others(
    tmp_path: Path,
) -> None:
    follower = Follower(tmp_path)
    assert rest(follower) == []
    with Growing(tmp_path, 1) as one, Growing(tmp_path, 2) as other:
        one.open(1)
        one.data(1, b"a", at_ms=1)
        other.open(1)
        other.data(1, b"b", at_ms=2)
        one.write()
        other.write()
        assert data_of(rest(follower)) == [b"a", b"b"]
        one.data(1, b"c", at_ms=3, offset=1)
        one.next_segment()
        one.open(1, at_ms=4, is_continued=True)
        one.data(1, b"d", at_ms=4, offset=2)
        other.data(1, b"e", at_ms=5, offset=1)
        one.write()
        other.write(is_whole=False)
        assert data_of(rest(follower)) == [b"c", b"d"]
        other.crash()
        assert data_of(rest(follower)) == [b"e"]  # no checksum comes any more, but it is whole
    assert rest(follower) == []
    assert follower.unreadable == []
    follower.close()


def test_large_blocks_come_in_bounded_parts(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    data = os.urandom(1 << 20)
    with Growing(tmp_path) as growing:
        growing.open(1)
        for turn in range(5):
            growing.data(1, data, at_ms=turn, offset=turn << 20)
        growing.write()
        assert follower.poll() == []
        assert follower.is_behind
        assert b"".join(data_of(rest(follower))) == data * 5
    follower.close()


def test_damage_is_told_and_what_comes_next_is_read(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    with Growing(tmp_path) as growing:
        growing.open(1)
        growing.data(1, b"damaged")
        growing.end_block()
        growing._data[-30] ^= 1
        growing.next_segment()
        growing.open(1, is_continued=True)
        growing.data(1, b"next", offset=7)
        growing.seal()
        assert data_of(rest(follower)) == [b"next"]
    [problem] = follower.unreadable
    assert "checksum is wrong" in problem.what
    follower.close()


def test_a_segment_that_goes_before_it_is_read_is_told(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    recorded = Recorded(elsewhere)
    recorded.next_segment()
    path = recorded.seal()
    follower = Follower(tmp_path)
    with Growing(tmp_path) as growing:
        growing.open(1)
        growing.write()
        path = path.rename(tmp_path / path.name)
        assert kinds(rest(follower)) == ["Opened"]
        path.unlink()
        growing.seal()
        assert rest(follower) == []
    [problem] = follower.unreadable
    assert problem.path == path
    follower.close()


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem):
        Follower(tmp_path / "none")
    follower = Follower(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(UsageProblem):
        follower.poll()
    tmp_path.mkdir()
