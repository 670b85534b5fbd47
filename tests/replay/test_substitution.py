"""Values of live answers in the place of recorded ones: the parts that do no I/O."""

import re
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.capture import Closed, ConnectionId, Data, Event
from spliceproxy.replay.content_length import fit_content_length, missing_body_bytes
from spliceproxy.replay.recorded_values import RecordedValues, RequestValues, ValueKey
from spliceproxy.replay.substitution import Substitution
from spliceproxy.replay.value_patterns import ValuePattern, ValueScanner

CONNECTION = ConnectionId(1, 1)
ID = ValuePattern.parse("id=([a-z0-9]+);")
TOKEN = ValuePattern.parse(r"(?m:^)token (?P<value>\w+) (\d+)$")
PARTS = st.sampled_from(
    [b"id=", b"abc1", b";", b"token ", b"abc ", b"12", b"\n", b"\r", b" ", b"x"]
)
STREAMS = st.lists(PARTS, max_size=60).map(b"".join)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = [*sorted(each % (len(data) + 1) for each in cuts), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def scan(patterns: list[ValuePattern], pieces: list[bytes]) -> list[tuple[int, bytes]]:
    scanner = ValueScanner(patterns)
    found = [each for piece in pieces for each in scanner.feed(piece)]
    return sorted([*found, *scanner.settle()])


@given(data=STREAMS, cuts=st.lists(st.integers(0, 500), max_size=8))
def test_values_are_found_whatever_the_pieces(data: bytes, cuts: list[int]) -> None:
    expected = [
        (number, match[pattern.group])
        for number, pattern in enumerate([ID, TOKEN])
        for match in pattern.expression.finditer(data)
    ]
    # Which lines end may show only with the next byte; so in pieces it is the first pattern alone.
    assert scan([ID, TOKEN], [data]) == sorted(expected)
    assert scan([ID], cut(data, cuts)) == [each for each in expected if not each[0]]


def test_long_streams_are_searched_with_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = 0

    class Expression:
        def search(self, data: bytes, at: int) -> re.Match[bytes] | None:
            nonlocal longest
            longest = max(longest, len(data))
            return ID.expression.search(data, at)

    pattern = ValuePattern("", Expression(), 1)  # type: ignore[arg-type]
    filler = b"x" * 10_000
    data = b"id=one1;" + filler + b"id=two2;" + filler + b"id=" + b"y" * 9000 + b"; id=three;"
    for size in (1 << 20, 777):
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert [value for _, value in scan([pattern], pieces)] == [b"one1", b"three", b"two2"]
    assert longest <= 2 * 4096 + 1


def test_a_line_begins_at_its_beginning_only() -> None:
    pattern = ValuePattern.parse("^(x+)y")
    assert scan([pattern], [b"a" + b"x" * 20_000 + b"y", b"\nxxxxy"]) == [(0, b"xxxx")]


def test_a_match_may_go_on_until_the_answer_is_over() -> None:
    scanner = ValueScanner([ValuePattern.parse("id=([0-9]+)")])
    assert list(scanner.feed(b"id=12")) == []
    assert list(scanner.feed(b"34")) == []
    assert list(scanner.settle()) == [(0, b"1234")]
    assert list(scanner.feed(b"56 id=7 ")) == [(0, b"7")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(", "is no regular expression"),
        ("abc", "has 0 groups"),
        ("(a)(b)", "has 2 groups"),
        ("(a*)", "matches where there is nothing"),
    ],
)
def test_no_pattern(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ValuePattern.parse(text)


def test_spots_are_whole_words_and_do_not_overlap() -> None:
    values = RecordedValues(3)
    keys = [ValueKey(CONNECTION, 0, number) for number in range(6)]
    for value, key in zip([b"gone", b"12", b"abc", b"abc-def", b"x/y"], keys, strict=False):
        values.add(value, key)
    data = b"gone abc abc-def abcd 0abc =abc= 12 x/y/x/y"
    found = [
        (data[spot.start : spot.end], spot.start, spot.key.match) for spot in values.spots(data)
    ]
    assert found == [
        *((b"abc", 5, 2), (b"abc-def", 9, 3), (b"abc", 28, 2), (b"x/y", 36, 4), (b"x/y", 40, 4)),
    ]
    values.add(b"abc", keys[5])  # it came again: that one counts now
    assert [spot.key.match for spot in values.spots(b"abc")] == [5]


VALUES = st.lists(st.text("ab1-", min_size=3, max_size=6).map(str.encode), min_size=1, max_size=4)


@given(
    values=VALUES,
    request=st.lists(
        st.one_of(VALUES.map(lambda each: each[0]), st.sampled_from([b" ", b"a", b"="]))
    ),
    picks=st.lists(st.integers(0, 3), max_size=6),
    cuts=st.lists(st.integers(0, 100), max_size=5),
)
def test_values_in_two_pieces_are_found_and_no_byte_is_lost(
    values: list[bytes], request: list[bytes], picks: list[int], cuts: list[int]
) -> None:
    pattern = ValuePattern.parse("<([^>]+)>")
    recorded, matches = RecordedValues(10), [0]
    finder = RequestValues(CONNECTION, ValueScanner([pattern]), recorded, matches)
    answer = b"".join(b"<%b>" % value for value in values)
    events: list[Event] = [Data(CONNECTION, 1, "response", 0, answer, is_checked=True)]
    data = b" ".join([*request, *(values[pick % len(values)] for pick in picks)])
    offset = 0
    for piece in cut(data, cuts):
        events.append(Data(CONNECTION, 2, "request", offset, piece, is_checked=True))
        offset += len(piece)
    events.append(Closed(CONNECTION, 3, {}))
    taken = [each for event in events for each in finder.take(event)]
    assert (taken[0], taken[-1], matches) == (events[0], events[-1], [len(values)])
    pieces = [each for each in taken if isinstance(each, Data) and each.direction == "request"]
    assert b"".join(piece.data for piece in pieces) == data
    assert [piece.offset for piece in pieces] == [
        sum(len(before.data) for before in pieces[:number]) for number in range(len(pieces))
    ]
    for start in {0, *(piece.offset for piece in pieces)} - {0}:
        assert not any(spot.start < start < spot.end for spot in recorded.spots(data))


def test_values_are_filled_in_and_counted() -> None:
    substitution = Substitution([ID], 1, across=False)
    recorded = RecordedValues(4)
    recorded.add(b"old", ValueKey(CONNECTION, 0, 0))
    data = b"GET /old/old HTTP/1.1\r\n\r\n"
    spots = recorded.spots(data)
    assert substitution._fill(data, spots, [b"fresh", None]) == b"GET /fresh/old HTTP/1.1\r\n\r\n"
    assert substitution._fill(b"old", recorded.spots(b"old"), [b"fresh"]) == b"fresh"
    assert substitution._fill(b"old", recorded.spots(b"old"), [b"new"]) == b"new"
    assert substitution.summary() == {
        "made": 3,
        "without_value": 1,
        "lengths_changed": 1,
        "matches": {ID.text: {"recorded": 0, "live": 0}},
    }
    never, lengths = substitution.hints()
    assert "never matched in recorded answers" in never
    assert "1 pieces of requests have got another length" in lengths


HEAD = b"POST /a HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (HEAD + b"content-length:  2 \r\n\r\nab", HEAD + b"content-length:  2 \r\n\r\nabcd", 4),
        (HEAD + b"\r\n", HEAD + b"A: b\r\n\r\n", b""),
        (HEAD + b"Content-Length: 2\r\n\r\na", HEAD + b"Content-Length: 2\r\n\r\nabc", None),
        (HEAD + b"Content-Length: 2\r\n\r\nabGET", HEAD + b"Content-Length: 2\r\n\r\n1GET", None),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1", HEAD + b"\r\n\r\n", None),
        (b"*1\r\n$3\r\nold\r\n", b"*1\r\n$3\r\nnewer\r\n", None),
    ],
)
def test_content_length_is_put_right_or_left_alone(
    before: bytes, after: bytes, expected: int | bytes | None
) -> None:
    repaired = fit_content_length(before, after)
    if isinstance(expected, int):
        assert repaired == after.replace(b"2 \r", b"%d \r" % expected)
    else:
        assert repaired == (None if expected is None else after)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HEAD + b"Content-Length: 20\r\n\r\nabc", 17),
        (HEAD + b"Content-Length: 2\r\n\r\nabc", 0),
        (HEAD + b"Content-Length: 20\r\n", 0),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n", 0),
        (HEAD + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n", 0),
        (b"hello", 0),
    ],
)
def test_what_a_body_lacks(data: bytes, expected: int) -> None:
    assert missing_body_bytes(data) == expected


def test_a_head_waits_for_its_body_unless_something_comes_between() -> None:
    finder = RequestValues(CONNECTION, ValueScanner([ID]), RecordedValues(4), [0])

    def take(direction: Literal["request", "response"], offset: int, data: bytes) -> list[bytes]:
        event = Data(CONNECTION, 1, direction, offset, data, is_checked=True)
        return [each.data for each in finder.take(event) if isinstance(each, Data)]

    head, long = (HEAD + b"Content-Length: %d\r\n\r\n" % length for length in (4, 20_000))
    at = len(head)
    assert take("request", 0, head) == take("request", at, b"ab") == []
    assert take("request", at + 2, b"cd") == [head + b"abcd"]
    assert take("request", at + 4, head) == []
    assert take("response", 0, b"100") == [head, b"100"]
    assert take("request", 2 * at + 4, b"abcd") == [b"abcd"]
    assert take("request", 2 * at + 8, long) == [long]
