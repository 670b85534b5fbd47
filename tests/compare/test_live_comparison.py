"""Answers of mirrors, compared as they come."""

from pathlib import Path
from typing import Any

import pytest

import spliceproxy.capture
from spliceproxy.compare.comparison import CompareOptions, CompareResult
from spliceproxy.compare.ignored import IgnorePatterns
from spliceproxy.compare.live_comparison import LiveComparison
from spliceproxy.compare.report_file import ReportFile
from spliceproxy.compare.verdict import remarks
from spliceproxy.replay.connection_filter import ConnectionFilter

from .exchanges import get
from .mirrored import MIRROR, MirroredTraffic, three

PING = (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n")


def compare(
    traffic: MirroredTraffic, limits: dict[str, int] | None = None, **options: Any
) -> tuple[CompareResult, ReportFile]:
    traffic.capture.seal()
    report = ReportFile(None)
    given = CompareOptions(recorded=traffic.directory, **options)
    comparison = LiveComparison(given, report, **limits or {})
    for event in spliceproxy.capture.open(traffic.directory).events():
        comparison.take(event)
    result = comparison.result()
    assert comparison._held_bytes == 0 or result.under_way
    assert not comparison._mirrored or comparison._own
    assert not comparison._requests._held or comparison._own
    return result, report


def found(result: CompareResult) -> list[tuple[str, str, str, int]]:
    return [
        (one.fingerprint.level, one.fingerprint.request, one.fingerprint.field, one.counts.raw)
        for one in result.differences
    ]


@pytest.fixture
def traffic(tmp_path: Path) -> MirroredTraffic:
    return MirroredTraffic(tmp_path / "capture")


def test_the_same_is_no_difference(traffic: MirroredTraffic) -> None:
    traffic.exchange([three(PING)] * 3)
    traffic.exchange([three(PING)] * 2, 2, 100)
    result, _ = compare(traffic)
    assert found(result) == []
    assert (result.connections, result.answers, result.protocols) == (2, 5, {"redis": 2})
    assert remarks(result) == ["Protocols, by connections: redis 2."]
    assert {name: each.count for name, each in result.latencies.items()} == {
        "recorded": 5,
        "new": 5,
    }
    # The mirror answers 2 ms after it was asked, the backend after one.
    recorded, new = (each.quantile(0.5) or 0 for each in result.latencies.values())
    assert 1.8 < new / recorded < 2.2


def test_fields_differ_by_path_with_samples(traffic: MirroredTraffic) -> None:
    traffic.exchange(
        [three(get(f"/users/{n}", '{"price": 1}'), get("", '{"price": 2}')[1]) for n in range(4)]
    )
    result, report = compare(traffic, samples=2)
    assert found(result) == [("field", "GET /users/*", "body.price", 4)]
    samples = list(report.samples(result.differences[0].number))
    assert [(one.asked, one.recorded, one.new, one.connection) for one in samples] == [
        (f"GET /users/{n}", "1", "2", "0000000000000001-1") for n in range(2)
    ]
    assert found(compare(traffic, ignored=IgnorePatterns(["body.price"]))[0]) == []


def test_whoever_answers_first_answers_are_paired(traffic: MirroredTraffic) -> None:
    traffic.open(1)
    traffic.open_mirror(101)
    traffic.say(1, PING[0] * 3, 0)
    traffic.sent(101, 1, 1)
    traffic.answer(101, b"+PONG\r\n+PO", 1)
    traffic.answer(101, b"NG\r\n+PONG\r\n", 2)
    traffic.answer(1, b"+PONG\r\n" * 2, 3)
    traffic.answer(1, b"-ERR\r\n", 4)
    traffic.close_mirror(101, 5)
    traffic.close(1, 6)
    result, _ = compare(traffic)
    assert (result.answers, found(result)) == (3, [("field", "PING", "value", 1)])


def test_what_a_mirror_has_not_answered_is_missing(traffic: MirroredTraffic) -> None:
    traffic.exchange([three(PING), three(PING, b""), three(PING, b"")], reason="end_timeout")
    result, _ = compare(traffic)
    assert sorted(found(result)) == [
        ("ending", "", "(ending)", 1),
        ("frames", "PING", "(missing)", 2),
    ]


def test_what_it_has_answered_beyond_is_extra(traffic: MirroredTraffic) -> None:
    traffic.exchange([three(PING), three(PING, PING[1] * 2)])
    assert found(compare(traffic)[0]) == [("frames", "", "(extra)", 1)]


@pytest.mark.parametrize("reason", ["mirror_refused", "mirror_reset", "connect_timeout"])
def test_a_mirror_that_fails_differs(traffic: MirroredTraffic, reason: str) -> None:
    traffic.open(1)
    traffic.open_mirror(101)
    traffic.close_mirror(101, 0, reason=reason)
    traffic.say(1, PING[0] * 2, 0)
    traffic.answer(1, PING[1] * 2, 1)
    traffic.close(1, 2)
    result, report = compare(traffic)
    assert sorted(found(result)) == [
        ("ending", "", "(ending)", 1),
        ("frames", "PING", "(missing)", 2),
    ]
    number = next(one.number for one in result.differences if one.fingerprint.request == "")
    (sample,) = report.samples(number)
    assert (sample.recorded, sample.new) == ("closed", f"mirror: {reason}")


@pytest.mark.parametrize(
    "facts", [{"reason": "buffer_full"}, {"reason": "spool_enospc"}, {"request_bytes": 14}]
)
def test_a_mirror_that_was_not_asked_is_not_blamed(
    traffic: MirroredTraffic, facts: dict[str, Any]
) -> None:
    traffic.exchange([three(PING), three(PING, b"")], **facts)
    result, _ = compare(traffic)
    assert (found(result), result.answers, result.cut_off) == ([], 1, 1)
    assert remarks(result)[1:] == [
        "1 mirrored connection cut off, or with missing bytes: compared up to there."
    ]


@pytest.mark.parametrize("gap", [1, 101])
def test_answers_are_compared_up_to_a_gap(traffic: MirroredTraffic, gap: int) -> None:
    traffic.open(1)
    traffic.open_mirror(101)
    traffic.say(1, PING[0] * 3, 0)
    traffic.sent(101, 1, 1)
    for number in (1, 101):
        traffic.answer(number, PING[1], 1)
    traffic.capture.gap(gap, 7, 3, 2, direction="response", reason="budget_full")
    for number in (1, 101):
        traffic.answer(number, b"-ERR\r\n", 3)
    traffic.close_mirror(101, 4)
    traffic.close(1, 5)
    result, _ = compare(traffic)
    assert (found(result), result.answers, result.cut_off) == ([], 1, 1)


@pytest.mark.parametrize("number", [1, 101])
def test_a_segment_that_has_gone_is_a_gap(traffic: MirroredTraffic, number: int) -> None:
    traffic.open(1)
    traffic.open_mirror(101)
    traffic.say(1, PING[0] * 2, 0)
    traffic.sent(101, 1, 1)
    for each in (1, 101):
        traffic.answer(each, PING[1], 1)
    traffic.capture.data(number, b"-ERR\r\n", 2, direction="response", offset=100)
    traffic.close_mirror(101, 4)
    traffic.close(1, 5)
    result, _ = compare(traffic)
    assert (found(result), result.answers, result.cut_off) == ([], 1, 1)


def test_a_gap_before_the_protocol_is_known(traffic: MirroredTraffic) -> None:
    traffic.open(1)
    traffic.open_mirror(101)
    traffic.capture.gap(101, 0, 3, 1, direction="response", reason="budget_full")
    traffic.say(1, PING[0], 2)
    traffic.answer(1, PING[1], 3)
    traffic.say(1, PING[0], 4)
    result, _ = compare(traffic)
    assert result.under_way == 0  # nothing more of it is compared, or held


def test_answers_of_mirrors_are_not_replayed() -> None:
    assert ConnectionFilter().wants({"client": "192.0.2.1:1"})
    assert not ConnectionFilter().wants({"client": "192.0.2.1:1", "mirror": MIRROR})


def test_requests_that_have_gone_are_gaps(traffic: MirroredTraffic) -> None:
    traffic.open(1)
    traffic.open_mirror(101)
    traffic.say(1, PING[0], 0)
    traffic.capture.sent(101, 1000, 1)  # of which the capture has less
    traffic.answer(101, PING[1], 1)
    traffic.answer(1, PING[1], 1)
    traffic.close_mirror(101, 4)
    traffic.close(1, 5)
    result, _ = compare(traffic)
    assert (result.answers, result.cut_off) == (0, 1)


def test_streams_without_a_framer_tell_where_they_differ(traffic: MirroredTraffic) -> None:
    traffic.exchange([(b"\0", b"\1" * 3000 + b"a", b"\1" * 3000 + b"b")])
    result, report = compare(traffic)
    assert found(result) == [("digest", "", "(digest)", 1)]
    (sample,) = report.samples(result.differences[0].number)
    assert sample.recorded.endswith("at 3000: a")
    assert sample.new.endswith("at 3000: b")


def test_an_old_mirror_tells_what_is_noise(traffic: MirroredTraffic) -> None:
    def answer(date: str, version: str) -> bytes:
        return get("/", "{}", f"Date: {date}", f"Server: {version}")[1]

    request = get("/", "{}")[0]
    traffic.open(1)
    traffic.open_mirror(101)
    traffic.open_mirror(201, mirror="tcp://old:80")
    for n in range(3):
        traffic.say(1, request, n * 10)
        for mirror, data in ((101, answer("2", "b")), (201, answer("3", "a"))):
            traffic.sent(mirror, 1, n * 10)
            traffic.answer(mirror, data, n * 10 + 1)
        traffic.answer(1, answer("1", "a"), n * 10 + 2)
    traffic.close_mirror(101, 50)
    traffic.close_mirror(201, 50)
    traffic.close(1, 50)
    result, _ = compare(traffic, old_mirror="tcp://old:*")
    assert found(result) == [("field", "GET /", "header.server", 3)]
    assert [one.fingerprint.field for one in result.noise] == ["header.date"]
    assert list(result.latencies) == ["recorded", "new", "old"]
    result, _ = compare(traffic, mirror="tcp://old:80")
    assert found(result) == [("field", "GET /", "header.date", 3)]
    assert result.latencies["new"].count == 3


def test_what_is_not_compared_is_counted(traffic: MirroredTraffic) -> None:
    traffic.capture.open(1, is_continued=True)
    traffic.open_mirror(101)
    traffic.open_mirror(102, of=77)
    traffic.open(3)
    traffic.say(3, PING[0], 1)
    for number in (101, 102, 1, 3):
        traffic.close(number, 2)
    result, _ = compare(traffic)
    assert (result.connections, result.answers) == (0, 0)
    assert (result.begun_before, result.strangers, result.unmatched) == (1, 1, 1)


def test_a_mirror_too_far_behind_is_given_up(traffic: MirroredTraffic) -> None:
    traffic.open(1)
    traffic.open_mirror(101)
    for n in range(50):
        traffic.say(1, PING[0], n)
        traffic.answer(1, PING[1], n + 0.5)
    traffic.sent(101, 1, 60)
    traffic.answer(101, b"-ERR\r\n" * 50, 60)
    traffic.close_mirror(101, 70)
    traffic.close(1, 70)
    limits = {"most_held_bytes": 10_000}
    result, _ = compare(traffic, limits)
    assert (result.far_behind, result.answers, found(result)) == (1, 0, [])


def test_connections_whose_end_never_comes_are_forgotten(traffic: MirroredTraffic) -> None:
    for n in range(1, 8):
        traffic.open(n, n)
        traffic.open_mirror(100 + n, n, of=n)
        traffic.say(n, PING[0], n)
    result, _ = compare(traffic, {"most_connections": 3})
    assert (result.under_way, result.forgotten) == (3, 4)
    assert MIRROR
