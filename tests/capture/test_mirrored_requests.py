"""What a mirror's peer was sent, put where it was."""

from pathlib import Path

import spliceproxy.capture
from spliceproxy.capture import Capture, Data, Event, Missing, Sent
from spliceproxy.capture.mirrored_requests import MirroredRequests, events_with_request
from tests.compare.mirrored import MirroredTraffic


def told(events: list[Event], number: int) -> list[tuple[str, int, bytes | int | None]]:
    found: list[tuple[str, int, bytes | int | None]] = []
    for event in events:
        if event.connection.number == number:
            assert not isinstance(event, Sent)
            if isinstance(event, Data):
                found.append((event.direction, event.offset, event.data))
            elif isinstance(event, Missing):
                found.append((event.reason, event.offset, event.length))
    return found


def capture_of(traffic: MirroredTraffic) -> Capture:
    traffic.capture.seal()
    return spliceproxy.capture.open(traffic.directory)


def test_pieces_are_cut_to_what_was_sent(tmp_path: Path) -> None:
    traffic = MirroredTraffic(tmp_path)
    traffic.open(1)
    traffic.open_mirror(101)
    traffic.open_mirror(201)
    traffic.say(1, b"abcdef", 1)
    traffic.capture.sent(101, 4, 2, age_ms=0.5)
    traffic.answer(101, b"1", 2)
    traffic.say(1, b"ghi", 3)
    traffic.capture.sent(201, 9, 4)
    traffic.capture.sent(101, 8, 5)
    traffic.answer(101, b"2", 5)
    for number in (101, 201, 1):
        traffic.close(number, 6)
    capture = capture_of(traffic)
    events = list(spliceproxy.capture.with_requests(capture.events()))
    assert told(events, 101) == [
        ("request", 0, b"abcd"),
        ("response", 0, b"1"),
        ("request", 4, b"ef"),
        ("request", 6, b"gh"),
        ("response", 1, b"2"),
    ]
    assert told(events, 201) == [("request", 0, b"abcdef"), ("request", 6, b"ghi")]
    first = next(e for e in events if e.connection.number == 101 and isinstance(e, Data))
    answer = next(e for e in events if isinstance(e, Data) and e.data == b"1")
    assert answer.time_ns - first.time_ns == 500_000
    connection = capture.connection(first.connection)
    assert connection is not None
    assert told(list(events_with_request(capture, connection)), 101) == told(events, 101)


def test_what_is_held_has_a_bound(tmp_path: Path) -> None:
    traffic = MirroredTraffic(tmp_path)
    traffic.open(1)
    traffic.open_mirror(101)
    for at_ms in range(10):
        traffic.say(1, b"x" * 100, at_ms)
    traffic.sent(101, 1, 20)
    traffic.close(101, 21)
    traffic.close(1, 21)
    requests = MirroredRequests(2000)
    events = [told for event in capture_of(traffic).events() for told in requests.take(event)]
    assert told(events, 101)[0] == ("not in the capture", 0, 500)
    assert [offset for _, offset, _ in told(events, 101)[1:]] == [500, 600, 700, 800, 900]
    assert not requests._held
    assert requests._held_bytes == 0
    assert not requests._of
    assert not requests._mirrored
