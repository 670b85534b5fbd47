"""Captures of the writer, as the reader sees them."""

import errno
from pathlib import Path

import pytest

import spliceproxy.capture
from spliceproxy.capture import Data, End
from spliceproxy.capture import writer as writer_module
from spliceproxy.capture.writer import CaptureWriter
from spliceproxy.errors import StartProblem
from tests.proxy.payload import random_bytes


def test_connections_go_over_segments_that_have_indexes(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "capture"
    writer = CaptureWriter(directory, segment_bytes=1 << 20)
    pieces = [random_bytes(300_000, number) for number in range(10)]
    long = writer.open_connection({"client": "long"})
    for number, piece in enumerate(pieces):
        writer.data(long, "request", piece)
        short = writer.open_connection({"client": number})
        writer.data(short, "response", b"%d" % number)
        writer.end(short, "response", is_reset=number % 2 == 1)
        writer.close_connection(short, {"reason": "closed"})
    writer.end(long, "request", is_reset=False)
    writer.close_connection(long, {"reason": "closed"})
    writer.close()
    names = [path.name for path in directory.iterdir()]
    assert len(names) > 1
    assert all(name.endswith(".capture") for name in names)
    capture = spliceproxy.capture.open(directory)
    found = {connection.facts["client"]: connection for connection in capture.connections()}
    assert capture.unreadable == []
    assert all(connection.is_whole for connection in found.values())
    data = [event.data for event in found["long"].events() if isinstance(event, Data)]
    assert data == pieces
    for number in range(10):
        [end] = [event for event in found[number].events() if isinstance(event, End)]
        assert (end.direction, end.is_reset, end.offset) == ("response", number % 2 == 1, 1)
    check_indexes(directory)


def check_indexes(directory: Path) -> None:
    """What each index says is what its segment has."""
    for segment in spliceproxy.capture.open(directory).segments():
        index = {entry.connection: entry for entry in segment.index() or ()}
        last: dict[int, int] = {}
        for record in segment.records():
            if record.connection:
                entry = index[record.connection]
                assert entry.first_block <= record.at < entry.end
                assert entry.first_ns <= record.time_ns <= entry.last_ns
                last[record.connection] = record.time_ns
        assert last == {number: entry.last_ns for number, entry in index.items()}


def test_what_is_flushed_can_be_read_before_the_end(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path)
    connection = writer.open_connection({"client": "x"})
    writer.data(connection, "request", b"so far")
    writer.flush()
    [found] = spliceproxy.capture.open(tmp_path).connections()
    assert (found.request_bytes, found.closed) == (6, None)
    writer.close()
    [found] = spliceproxy.capture.open(tmp_path).connections()
    assert found.request_bytes == 6


def test_a_full_disk_is_a_failure_and_no_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = CaptureWriter(tmp_path)
    connection = writer.open_connection({"client": "x"})

    def full(fd: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer_module, "_write", full)
    writer.data(connection, "request", bytes(300_000))
    assert writer.failure is not None
    writer.data(connection, "request", bytes(300_000))
    writer.close()
    [left] = tmp_path.iterdir()
    assert left.name.endswith(".open")


def test_no_directory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(StartProblem, match="expected a directory"):
        CaptureWriter(path)
