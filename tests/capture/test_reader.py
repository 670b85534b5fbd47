"""Captures, read as a user's program reads them."""

from pathlib import Path

import pytest
import trio

import spliceproxy.capture
from spliceproxy.capture import Closed, Connection, ConnectionId, Data, End, Missing, Opened
from spliceproxy.errors import UsageProblem
from tests.capture.recorded import Recorded
from tests.descriptors import open_descriptors
from tests.mirroring.mirrored import mirrored
from tests.proxy.judge import exchange


def the_only(directory: Path) -> Connection:
    capture = spliceproxy.capture.open(directory)
    [connection] = capture.connections()
    assert capture.unreadable == []
    return connection


async def test_what_a_mirror_has_written(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with mirrored(f"capture:{tmp_path}") as proxied:
            connection = await proxied.connect()
            await exchange(connection, b"question", b"answer", seed=1)
            line = await proxied.line()
    found = the_only(tmp_path)
    assert spliceproxy.capture.open(tmp_path).connection(found.id) == found  # by the index
    assert found.facts["client"] == line["client"]
    assert (found.request_bytes, found.response_bytes, found.reason) == (8, 6, "closed")
    assert found.is_whole
    assert found.ends == {"request": "end", "response": "end"}
    assert found.last_ns >= found.began_ns > 1_700_000_000 * 10**9
    events = list(found.events())
    assert isinstance(events[0], Opened)
    assert isinstance(events[-1], Closed)
    data = [event for event in events if isinstance(event, Data)]
    assert b"".join(e.data for e in data if e.direction == "request") == b"question"
    assert all(event.connection == found.id for event in events)


def test_connections_go_over_segments_and_writers_are_merged_by_time(tmp_path: Path) -> None:
    one, other = Recorded(tmp_path, writer=1), Recorded(tmp_path, writer=2)
    one.open(1, route="web")
    one.data(1, b"a", at_ms=10)
    other.open(1, route="api")
    other.data(1, b"b", at_ms=20)
    one.next_segment()
    one.open(1, route="web", is_continued=True)
    one.data(1, b"c", at_ms=30, offset=1)
    one.end(1, 2, at_ms=35)
    one.close(1, at_ms=50, reason="closed")
    other.close(1, at_ms=40, reason="client_reset")
    one.seal()
    other.seal()
    capture = spliceproxy.capture.open(tmp_path)
    data = [event.data for event in capture.events() if isinstance(event, Data)]
    assert data == [b"a", b"b", b"c"]
    second, first = capture.connections()
    assert (first.id, second.id) == (ConnectionId(1, 1), ConnectionId(2, 1))
    assert (first.request_bytes, first.reason, first.is_whole) == (2, "closed", True)
    assert len(first.parts) == 2
    assert [e.data for e in first.events() if isinstance(e, Data)] == [b"a", b"c"]
    found = capture.connection(ConnectionId(2, 1))
    assert found is not None
    assert found.facts["route"] == "api"
    assert capture.connection(ConnectionId(3, 1)) is None


def test_no_more_segments_are_open_than_there_were_writers_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for writer in range(30):
        monkeypatch.setattr("tests.capture.recorded.BEGAN_NS", (1_790_000_000 + writer) * 10**9)
        recorded = Recorded(tmp_path, writer=30 - writer)
        recorded.open(1)
        recorded.close(1, at_ms=500)
        recorded.seal()
    before, most, numbers = len(open_descriptors()), 0, []
    for event in spliceproxy.capture.open(tmp_path).events():
        most = max(most, len(open_descriptors()) - before)
        numbers.append(event.connection.writer)
    assert numbers == [30 - writer for writer in range(30) for _ in ("opened", "closed")]
    assert most <= 2


def test_gaps_and_what_is_not_known(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"abc")
    recorded.gap(1, 3, 10, reason="file_enospc")
    recorded.data(1, b"def", offset=13)
    recorded.data(1, b"ghi", offset=20)  # its record has gone with a segment
    recorded.end(1, 23)
    recorded.open(2, is_continued=True)
    recorded.data(2, b"x", offset=5)
    recorded.seal()
    first, second = spliceproxy.capture.open(tmp_path).connections()
    assert (first.gaps, first.missing_bytes, first.is_whole) == (2, 14, False)
    assert (first.closed, first.reason) == (None, "")
    assert second.begins_mid_stream
    missing = [event for event in first.events() if isinstance(event, Missing)]
    assert [(m.offset, m.length, m.reason) for m in missing] == [(3, 10, "file_enospc")]
    [end] = [event for event in first.events() if isinstance(event, End)]
    assert (end.offset, end.is_reset) == (23, False)


def test_a_damaged_segment_is_read_as_far_as_it_goes_and_named(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"before")
    recorded.end_block()
    recorded.data(1, b"damage", offset=6)
    recorded.seal()
    [path] = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[data.index(b"damage")] ^= 1
    path.write_bytes(data)
    capture = spliceproxy.capture.open(tmp_path)
    [connection] = capture.connections()
    assert connection.request_bytes == 6
    [problem] = capture.unreadable
    assert problem.path == path
    assert "checksum is wrong" in problem.what


def test_a_segment_that_is_no_segment_is_named_and_the_rest_read(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.seal()
    [path] = tmp_path.iterdir()
    bad = path.with_name(path.name.replace("-000000", "-000001"))
    bad.write_bytes(b"something else" * 100)
    capture = spliceproxy.capture.open(tmp_path)
    assert len(list(capture.connections())) == 1
    [problem] = capture.unreadable
    assert problem.path == bad
    assert "not a capture" in problem.what


def test_a_segment_that_vanishes_or_is_sealed_meanwhile(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, is_open=True)
    recorded.open(1)
    recorded.data(1, b"x")
    recorded.next_segment()
    recorded.open(1, is_continued=True)
    recorded.seal()
    capture = spliceproxy.capture.open(tmp_path)
    [first, second] = capture.names()
    records = capture.events()
    names = capture.names
    capture.names = lambda: [first, second]  # type: ignore[method-assign]
    (tmp_path / first.text).rename(tmp_path / first.text.removesuffix(".open"))
    (tmp_path / second.text).unlink()
    assert len(list(records)) == 2
    [problem] = capture.unreadable
    assert problem.path.name == second.text
    assert len(names()) == 1


@pytest.mark.parametrize("make", [None, "empty", "file", "other"])
def test_no_capture(tmp_path: Path, make: str | None) -> None:
    path = tmp_path / "it"
    if make == "file":
        path.write_bytes(b"")
    elif make is not None:
        path.mkdir()
    if make == "other":
        (path / "notes.txt").write_bytes(b"")
    with pytest.raises(UsageProblem) as raised:
        spliceproxy.capture.open(path)
    assert "expected a directory that a mirror capture:DIR has written" in str(raised.value)


@pytest.mark.parametrize("text", ["", "12", "6c1f0a9e5b7d2c34", "6c1f0a9e5b7d2c34-x", "x" * 99])
def test_no_connection(text: str) -> None:
    with pytest.raises(ValueError, match="expected one as in"):
        ConnectionId.parse(text)


def test_connections_are_written_as_they_are_read() -> None:
    connection = ConnectionId(0x6C1F0A9E5B7D2C34, 12)
    assert ConnectionId.parse(str(connection)) == connection


def test_a_connection_without_its_end_is_not_whole(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    for connection, reason in ((1, "closed"), (2, "closed"), (3, "idle_timeout"), (4, "closed")):
        recorded.open(connection)
        recorded.data(connection, b"question")
        recorded.data(connection, b"answer", direction="response")
        recorded.end(connection, 6, direction="response")
        if connection == 1:
            recorded.end(connection, 8)
        if connection == 4:
            recorded.end(connection, 10)  # there was more
        recorded.close(connection, reason=reason)
    recorded.seal()
    found = {one.id.number: one for one in spliceproxy.capture.open(tmp_path).connections()}
    assert {number: one.is_whole for number, one in found.items()} == {
        1: True,
        2: False,
        3: True,  # the proxy has seen no end either
        4: False,
    }
    assert (found[4].gaps, found[4].missing_bytes) == (1, 2)


def test_what_was_attached_is_marked_though_nothing_came_after(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1, begins_at={"request": 6, "response": 0})
    recorded.close(1)
    recorded.open(2, begins_at={"request": 0, "response": 0})
    recorded.close(2)
    recorded.open(3)
    recorded.end(3, 6)
    recorded.close(3)
    recorded.open(4, begins_at="garbled")
    recorded.close(4)
    recorded.seal()
    found = list(spliceproxy.capture.open(tmp_path).connections())
    assert [one.begins_mid_stream for one in found] == [True, False, True, False]
