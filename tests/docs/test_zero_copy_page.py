"""The map of techniques leads to commands, options and tests that there are."""

import importlib
import importlib.util
import shlex
from pathlib import Path

import click
import pytest

from spliceproxy.cli.main import command as spliceproxy

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "zero-copy.md"
HEAD = "| technique | command | test |"


def rows() -> list[list[str]]:
    """The cells of the map, without its head and rule."""
    lines = PAGE.read_text().splitlines()
    below = lines[lines.index(HEAD) + 2 :]
    table = below[: below.index("")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table]


ROWS = rows()
ROW_NAMES = [row[0] for row in ROWS]


def program(name: str) -> click.Command:
    """The command of a program that `python -m` starts: a package, or one file."""
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"no module {name}"
    is_package = spec.submodule_search_locations is not None
    command = importlib.import_module(f"{name}.__main__" if is_package else name).main
    assert isinstance(command, click.Command)
    return command


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The click command that would run, and the words behind it."""
    command: click.Command
    if words[0] == "spliceproxy":
        command, rest = spliceproxy, words[1:]
    else:
        assert words[:2] == ["python", "-m"]
        command, rest = program(words[2]), words[3:]
    if not isinstance(command, click.Group) or rest[0].startswith("--"):
        return command, rest
    assert rest[0] in command.commands, f"no subcommand {rest[0]}"
    return command.commands[rest[0]], rest[1:]


def test_each_technique_has_one_row() -> None:
    assert len(ROWS) == len(set(ROW_NAMES)) >= 26
    assert all(len(row) == 3 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=ROW_NAMES)
def test_its_test_is_there(row: list[str]) -> None:
    path = REPOSITORY / row[2]
    tests = [path] if path.is_file() else list(path.glob("test_*.py"))
    assert tests, f"{row[2]} has no tests"


@pytest.mark.parametrize("row", ROWS, ids=ROW_NAMES)
def test_its_command_is_there_with_its_options(row: list[str]) -> None:
    command, rest = command_of(shlex.split(row[1]))
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


def test_the_code_that_is_named_is_there() -> None:
    words = PAGE.read_text().split("`")[1::2]
    named = [word for word in words if word.endswith(".py") and "*" not in word]
    assert len(named) > 10
    for word in named:
        places = (REPOSITORY / word, REPOSITORY / "spliceproxy" / word)
        assert any(place.is_file() for place in places), word


def test_the_benchmark_has_a_place_for_its_figures() -> None:
    text = PAGE.read_text()
    assert text.count("<!-- transfer: begin, written by tools.bench -->\n") == 1
    assert text.count("<!-- transfer: end -->\n") == 1
