import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spliceproxy.admin.stats_socket.lines import (
    MAX_LINE_BYTES,
    LineReader,
    TooLongError,
    split_commands,
)


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("", [[]]),
        ("show stat", [["show", "stat"]]),
        ("  show \t stat  ", [["show", "stat"]]),
        ("show info;show stat", [["show", "info"], ["show", "stat"]]),
        ("show info ; ; quit;", [["show", "info"], [], ["quit"]]),
        (r"a\;b c\ d \\", [["a;b", "c d", "\\"]]),
        ("\\", [[""]]),
    ],
)
def test_commands_end_at_semicolons_and_words_at_blanks(
    line: str, commands: list[list[str]]
) -> None:
    assert split_commands(line) == commands


@given(words=st.lists(st.lists(st.text(min_size=1), min_size=1), min_size=1))
def test_what_is_escaped_comes_out_as_it_was(words: list[list[str]]) -> None:
    def escape(word: str) -> str:
        return "".join(f"\\{character}" for character in word)

    line = ";".join(" ".join(map(escape, command)) for command in words)
    assert split_commands(line) == words


@given(
    lines=st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))),
    cuts=st.lists(st.integers(1, 20), min_size=1),
)
def test_lines_come_out_whole_however_they_came_in(lines: list[str], cuts: list[int]) -> None:
    data = b"".join(f"{line}\r\n".encode() for line in lines)
    reader, found = LineReader(), []
    while data:
        for cut in cuts:
            found += reader.feed(data[:cut])
            data = data[cut:]
    assert found == lines
    assert reader.finish() == []


def test_a_last_line_without_an_end_counts() -> None:
    reader = LineReader()
    assert reader.feed(b"show info\nshow") == ["show info"]
    assert reader.finish() == ["show"]
    assert reader.finish() == []


@given(sizes=st.lists(st.integers(1, 5000), max_size=12))
@example(sizes=[MAX_LINE_BYTES])
@example(sizes=[MAX_LINE_BYTES + 1])
def test_no_more_than_a_line_is_kept(sizes: list[int]) -> None:
    reader, kept = LineReader(), 0
    for size in sizes:
        kept += size
        if kept > MAX_LINE_BYTES:
            with pytest.raises(TooLongError):
                reader.feed(b"x" * size)
            return
        assert reader.feed(b"x" * size) == []
    assert [len(line) for line in reader.finish()] == ([kept] if kept else [])
