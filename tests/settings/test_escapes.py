"""Bytes as text: read as they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.settings.escapes import MAX_BYTES, format_escaped, parse_escaped, read_bytes


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", b""),
        ("+PONG", b"+PONG"),
        (r"PING\r\n", b"PING\r\n"),
        ("PING\r\n", b"PING\r\n"),  # as YAML reads it within double quotes
        (r"\x00\xfF\0\\\t", b"\0\xff\0\\\t"),
        (r"\\x41", rb"\x41"),
        ("日", "日".encode()),
    ],
)
def test_reading(text: str, data: bytes) -> None:
    assert parse_escaped(text) == data


@pytest.mark.parametrize("text", [r"\a", "\\", r"\x", r"\x4", r"\xg0", r"\u0041"])
def test_escapes_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not known: expected"):
        parse_escaped(text)


def test_too_many() -> None:
    assert len(parse_escaped("a" * MAX_BYTES)) == MAX_BYTES
    with pytest.raises(ValueError, match="too many"):
        parse_escaped("日" * MAX_BYTES)
    with pytest.raises(ValueError, match="too many"):
        read_bytes({"hex": "00" * (MAX_BYTES + 1)})


@pytest.mark.parametrize("character", ["\x80", "\xd2", "\xff", "PING é"])
def test_what_may_be_a_byte_or_a_character_is_refused(character: str) -> None:
    """Within double quotes YAML itself has made a character of what was to be a byte."""
    with pytest.raises(ValueError, match="is ambiguous"):
        parse_escaped(character)


@pytest.mark.parametrize("text", ["16 03 01", "160301", " 16\t0301\n"])
def test_hex(text: str) -> None:
    assert read_bytes({"hex": text}) == b"\x16\x03\x01"


@pytest.mark.parametrize(
    "value",
    [{"hex": "1"}, {"hex": ""}, {"hex": "0x16"}, {"hex": None}, {"hxe": "16"}, {}, ("16",)],
)
def test_hex_that_is_none(value: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_bytes(value)


@given(st.binary(max_size=MAX_BYTES))
def test_any_bytes_there_and_back(data: bytes) -> None:
    text = format_escaped(data)
    assert text.isascii()
    assert text.isprintable()
    assert parse_escaped(text) == data


@given(st.text(max_size=100))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = parse_escaped(text)
    except ValueError:
        assert any(character == "\\" or "\x80" <= character <= "\xff" for character in text)
    else:
        assert parse_escaped(format_escaped(read)) == read
