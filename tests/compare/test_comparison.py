"""What is found between two captures, and what counts as noise."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from spliceproxy.compare.comparison import CompareOptions, CompareResult, Comparison
from spliceproxy.compare.ignored import IgnorePatterns
from spliceproxy.compare.noise import DifferenceCounts, NoiseLimits
from spliceproxy.compare.report_file import ReportFile
from spliceproxy.errors import UsageProblem
from spliceproxy.framing.protocols import find_protocol

from .exchanges import Exchange, get, record, replayed

PING = (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n")


def compare(tmp_path: Path, **options: Any) -> tuple[CompareResult, ReportFile]:
    report = ReportFile(None)
    paths = {"recorded": tmp_path / "recorded", "answers": tmp_path / "new"}
    with closing(Comparison(CompareOptions(**paths | options), report)) as comparison:
        return comparison.run(), report


def found(result: CompareResult) -> list[tuple[str, str, str, int]]:
    return [
        (one.fingerprint.level, one.fingerprint.request, one.fingerprint.field, one.counts.raw)
        for one in result.differences
    ]


def pair(tmp_path: Path, recorded: list[list[Exchange]], new: list[list[Exchange]]) -> None:
    record(tmp_path / "recorded", recorded)
    replayed(tmp_path / "new", new)


def test_the_same_is_no_difference(tmp_path: Path) -> None:
    pair(tmp_path, [[PING] * 3] * 2, [[PING] * 3] * 2)
    result, _ = compare(tmp_path)
    assert found(result) == []
    assert (result.connections, result.answers, result.protocols) == (2, 6, {"redis": 2})
    assert [each.count for each in result.latencies.values()] == [6, 6]
    recorded, new = (each.quantile(0.5) or 0 for each in result.latencies.values())
    assert 1.8 < new / recorded < 2.2


def test_a_field_is_found_by_its_path_whatever_its_index(tmp_path: Path) -> None:
    def answer(price: int) -> list[Exchange]:
        body = f'{{"items": [{{"price": {price}}}, {{"price": 1}}]}}'
        return [get(f"/users/{number}", body) for number in range(4)]

    pair(tmp_path, [answer(2)], [answer(3)])
    result, report = compare(tmp_path, samples=2)
    assert found(result) == [("field", "GET /users/*", "body.items[*].price", 4)]
    samples = list(report.samples(result.differences[0].number))
    assert [(one.asked, one.recorded, one.new) for one in samples] == [
        ("GET /users/0", "2", "3"),
        ("GET /users/1", "2", "3"),
    ]


def test_what_is_ignored_is_no_difference(tmp_path: Path) -> None:
    old = [[get("/", '{"id": "a-17", "n": 1}', "Date: Monday", "Server: a")]]
    new = [[get("/", '{"id": "a-18", "n": 1}', "Date: Tuesday", "Server: b")]]
    pair(tmp_path, old, new)
    patterns = IgnorePatterns(["header.date", r"re:\d+"])
    assert found(compare(tmp_path, ignored=patterns)[0]) == [("field", "GET /", "header.server", 1)]
    patterns = IgnorePatterns(["header.*", "body.id"])
    assert found(compare(tmp_path, ignored=patterns)[0]) == []


def test_missing_answers_and_ends_are_found(tmp_path: Path) -> None:
    record(tmp_path / "recorded", [[PING, PING]])
    replayed(tmp_path / "new", [[PING, (PING[0], b"")]], reset=True)
    result, _ = compare(tmp_path)
    assert sorted(found(result)) == [
        ("ending", "", "(ending)", 1),
        ("frames", "PING", "(missing)", 1),
    ]


def test_rows_shift_only_their_own_answer(tmp_path: Path) -> None:
    startup = b"\0\0\0\x11\0\x03\0\0user\0me\0\0"
    ready, row = b"Z\0\0\0\x05I", b"D\0\0\0\x0b\0\1\0\0\0\1" + b"1"
    query = b"Q\0\0\0\x0dselect 1\0"
    recorded = [(startup, ready), (query, row + row + ready), (query, row + ready)]
    new = [(startup, ready), (query, row + ready), (query, row + ready)]
    pair(tmp_path, [recorded], [new])
    assert found(compare(tmp_path)[0]) == [("frames", "Query SELECT", "(kind)", 1)]


def test_streams_without_a_framer_tell_where_they_differ(tmp_path: Path) -> None:
    pair(tmp_path, [[(b"\0", b"\1" * 3000 + b"a")]], [[(b"\0", b"\1" * 3000 + b"b")]])
    result, report = compare(tmp_path)
    assert found(result) == [("digest", "", "(digest)", 1)]
    (sample,) = report.samples(result.differences[0].number)
    assert sample.recorded.endswith("at 3000: a")
    assert sample.new.endswith("at 3000: b")


def test_noise_is_what_the_old_version_differs_in_too(tmp_path: Path) -> None:
    def answers(date: str, version: str) -> list[list[Exchange]]:
        return [[get("/", "{}", f"Date: {date}{n}", f"Server: {version}") for n in range(5)]]

    pair(tmp_path, answers("1", "a"), answers("2", "b"))
    replayed(tmp_path / "old", answers("3", "a"), writer=3)
    result, _ = compare(tmp_path, noise=tmp_path / "old")
    assert found(result) == [("field", "GET /", "header.server", 5)]
    assert [one.fingerprint.field for one in result.noise] == ["header.date"]
    assert list(result.latencies) == ["recorded", "new", "old"]


@pytest.mark.parametrize(
    ("raw", "noise", "answers", "noise_answers", "counts"),
    [
        (10, 0, 1000, 1000, True),
        (10, 10, 1000, 1000, False),
        (10, 11, 1000, 1000, False),
        (15, 10, 1000, 1000, False),  # 5 of 25: not above 20 %
        (16, 10, 1000, 1000, True),
        (3, 0, 10_000, 10_000, False),  # not above 0.03 %
        (4, 0, 10_000, 10_000, True),
        (10, 5, 1000, 500, False),  # as noise has half as many answers
    ],
)
def test_the_rule_for_noise(
    raw: int, noise: int, answers: int, noise_answers: int, counts: bool
) -> None:
    counted = DifferenceCounts(raw, noise, answers, noise_answers)
    assert counted.counts(NoiseLimits()) is counts
    assert counted.counts(None)


def test_what_is_not_compared_is_counted(tmp_path: Path) -> None:
    record(tmp_path / "recorded", [[PING], [PING], [PING]])
    replayed(tmp_path / "new", [[PING], [PING]])
    result, _ = compare(tmp_path)
    assert (result.connections, result.unmatched, result.strangers) == (2, 1, 0)


def test_nothing_in_common_is_a_mistake(tmp_path: Path) -> None:
    record(tmp_path / "recorded", [[PING]])
    record(tmp_path / "new", [[PING]], writer=2)
    with pytest.raises(UsageProblem, match="has nothing of what is in"):
        compare(tmp_path)


def test_a_protocol_can_be_told(tmp_path: Path) -> None:
    pair(tmp_path, [[(b"\0\1a", b"\0\1b\0\1c")]], [[(b"\0\1a", b"\0\1b\0\1d")]])
    result, _ = compare(tmp_path, protocol=find_protocol("length:size=2"))
    assert (result.answers, found(result)) == (2, [("field", "", "payload", 1)])


def test_memory_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spliceproxy.compare.fingerprint_tally.MOST_FINGERPRINTS", 2)
    monkeypatch.setattr("spliceproxy.compare.fingerprint_tally.MOST_REQUESTS", 2)
    names = "abcdef"
    pair(
        tmp_path,
        [[get(f"/{name}", '{"n": 1}') for name in names]],
        [[get(f"/{name}", '{"n": 2}') for name in names]],
    )
    result, _ = compare(tmp_path)
    assert sorted(count for *_, count in found(result)) == [1, 1, 4]
    assert ("field", "(others)", "(others)", 4) in found(result)
