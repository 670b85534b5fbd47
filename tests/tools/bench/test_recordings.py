"""Captures that the bench makes itself."""

from pathlib import Path

import spliceproxy.capture
from spliceproxy.capture import Connection
from tools.bench import recordings


def read(directory: Path) -> list[Connection]:
    capture = spliceproxy.capture.open(directory)
    found = list(capture.connections())
    assert capture.unreadable == []
    assert all(connection.is_whole for connection in found)
    return found


def test_arrivals_have_the_times_and_requests_that_are_asked_for(tmp_path: Path) -> None:
    directory = tmp_path / "timed"
    recordings.write(directory, recordings.arrivals(100, 60, 4, 0.5))
    found = read(directory)
    assert len(found) == 100
    request = len(recordings.set_command("key", b"12345"))
    for connection in found:
        assert (connection.request_bytes, connection.response_bytes) == (4 * request, 20)
        assert connection.last_ns - connection.began_ns == 5 * 500_000_000
    began_ns = [connection.began_ns for connection in found]
    assert 50e9 < max(began_ns) - min(began_ns) < 60e9


def test_long_talks_take_turns_over_all_of_a_capture_of_that_size(tmp_path: Path) -> None:
    directory = tmp_path / "long"
    path = recordings.write(directory, recordings.long_talks(5, 10_000_000, 10_000, 10_000_000))
    assert 9_900_000 < path.stat().st_size < 10_200_000
    found = read(directory)
    assert {connection.began_ns for connection in found} == {recordings.BEGAN_NS}
    for connection in found:
        assert 0.95e9 < connection.last_ns - connection.began_ns < 1.05e9
