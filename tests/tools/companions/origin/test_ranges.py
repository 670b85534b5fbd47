import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.companions.origin.ranges import MOST_RANGES, ByteRange, UnsatisfiableError, parse_ranges

SIZE = 1000


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-999", [(0, 1000)]),
        ("BYTES=500-", [(500, 500)]),
        ("bytes=-1", [(999, 1)]),
        ("bytes=-5000", [(0, 1000)]),
        ("bytes=990-5000", [(990, 10)]),
        ("bytes=990-" + "9" * 5000, [(990, 10)]),
        ("bytes=" + "0" * 5000 + "1-1", [(1, 1)]),
        ("bytes=0-1, -2", [(0, 2), (998, 2)]),
        ("bytes=,0-1,,", [(0, 2)]),
        ("bytes=5-6,0-1", [(5, 2), (0, 2)]),
        ("bytes=0-1,2000-3000", [(0, 2)]),
    ],
)
def test_ranges_within_a_file(header: str, expected: list[tuple[int, int]]) -> None:
    assert parse_ranges(header, SIZE) == tuple(ByteRange(*pair) for pair in expected)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=2-1",
        "bytes=a-b",
        "bytes=1-2-3",
        "bytes= 1 - 2",
        "bytes=0-1,x",
        "bytes=\N{ARABIC-INDIC DIGIT ONE}-",
        "lines=0-1",
        "bytes=0-600,0-600",
        "bytes=" + ",".join(["0-0"] * (MOST_RANGES + 1)),
    ],
)
def test_what_is_malformed_or_too_much_is_ignored(header: str) -> None:
    assert parse_ranges(header, SIZE) == ()


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000,3000-", "bytes=-0"])
def test_nothing_in_the_file(header: str) -> None:
    with pytest.raises(UnsatisfiableError):
        parse_ranges(header, SIZE)


def test_the_end_of_an_empty_file_is_the_whole_of_it() -> None:
    assert parse_ranges("bytes=-5", 0) == ()
    with pytest.raises(UnsatisfiableError):
        parse_ranges("bytes=0-", 0)


def test_content_range() -> None:
    assert ByteRange(5, 10).content_range(SIZE) == "bytes 5-14/1000"


@given(st.text("0123456789-, bytes=", max_size=40), st.integers(0, 50))
def test_ranges_are_never_empty_nor_outside(tail: str, size_bytes: int) -> None:
    try:
        found = parse_ranges(f"bytes={tail}", size_bytes)
    except UnsatisfiableError:
        return
    for part in found:
        assert part.length > 0
        assert part.offset >= 0
        assert part.offset + part.length <= size_bytes
