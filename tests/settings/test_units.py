from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.settings.units import (
    MAX_DURATION_S,
    MAX_SIZE_BYTES,
    format_duration,
    format_size,
    parse_duration,
    parse_percent,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("1ms", 0.001),
        ("250ms", 0.25),
        ("5s", 5.0),
        ("1.5s", 1.5),
        ("0.001s", 0.001),
        ("10m", 600.0),
        ("1h", 3600.0),
        ("2d", 172_800.0),
        ("365d", MAX_DURATION_S),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "write 5s"),
        ("1.5", "write 1.5s"),
        ("", "250ms"),
        ("s", "250ms"),
        ("-5s", "250ms"),
        ("5 s", "250ms"),
        ("inf", "250ms"),
        ("nan", "250ms"),
        ("1e9s", "250ms"),
        ("1h30m", "250ms"),
        (".5s", "250ms"),
        ("\N{FULLWIDTH DIGIT FIVE}s", "250ms"),
        ("5\n", "250ms"),
        ("5S", "unit 'S'"),
        ("5us", "unit 'us'"),
        ("5min", "unit 'min'"),
        ("0.5ms", "whole milliseconds"),
        ("366d", "at most 365d"),
        ("999999999999999999d", "at most 365d"),
        ("9" * 10_000 + "s", "250ms"),
    ],
)
def test_wrong_duration(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (1.5, "1500ms"),
        (90, "90s"),
        (60, "1m"),
        (3600, "1h"),
        (86_400, "1d"),
    ],
)
def test_duration_text(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("4096", 4096),
        ("10B", 10),
        ("64KiB", 65_536),
        ("64kib", 65_536),
        ("8MiB", 8 << 20),
        ("1GiB", 1 << 30),
        ("1.5MiB", 3 << 19),
        ("1TiB", 1 << 40),
        ("1PiB", MAX_SIZE_BYTES),
        ("10KB", 10_000),
        ("10MB", 10_000_000),
        ("1GB", 10**9),
    ],
)
def test_size(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "64KiB"),
        ("-1", "64KiB"),
        ("1 MiB", "64KiB"),
        ("64K", "64KiB .* 64KB"),
        ("64m", "ambiguous"),
        ("1MiBs", "unit 'MiBs'"),
        ("10%", "unit '%'"),
        ("0.5", "whole number"),
        ("0.3KiB", "whole number"),
        ("2PiB", "at most 1PiB"),
        ("9" * 10_000, "64KiB"),
    ],
)
def test_wrong_size(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_size(text)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0"),
        (1000, "1000"),
        (1024, "1KiB"),
        (1536, "1536"),
        (8 << 20, "8MiB"),
        (5 << 30, "5GiB"),
    ],
)
def test_size_text(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text


@pytest.mark.parametrize(
    ("text", "fraction"), [("0%", 0.0), ("10%", 0.1), ("0.5%", 0.005), ("100%", 1.0)]
)
def test_percent(text: str, fraction: float) -> None:
    assert parse_percent(text) == fraction


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10", "10%"),
        ("0.1", "10%"),
        ("-1%", "10%"),
        ("101%", "0% to 100%"),
        ("%", "10%"),
        ("", "10%"),
    ],
)
def test_wrong_percent(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_percent(text)


@given(st.integers(0, MAX_DURATION_S * 1000))
def test_durations_are_read_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, MAX_SIZE_BYTES), st.sampled_from([1, 1 << 10, 1 << 20, 1 << 30]))
def test_sizes_are_read_back(number: int, unit: int) -> None:
    size_bytes = number // unit * unit
    assert parse_size(format_size(size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("parse", "most"),
    [(parse_duration, MAX_DURATION_S), (parse_size, MAX_SIZE_BYTES), (parse_percent, 1)],
)
@given(text=st.one_of(st.text(), st.from_regex(r"\A[0-9.]{1,40}[a-zA-Z%]{0,4}\Z")))
def test_any_text_is_a_bounded_number_or_refused(
    parse: Callable[[str], float], most: float, text: str
) -> None:
    try:
        value = parse(text)
    except ValueError as problem:
        message = str(problem)
    else:
        message = ""
        assert 0 <= value <= most
    assert message.isprintable()
