"""The map of techniques leads to commands, options and tests that there are."""

import itertools
import re
from pathlib import Path

import pytest

from tests.docs.commands import REPOSITORY, commands, unknown_words
from tools.bench.commands.transfer import catalogue

PAGE = REPOSITORY / "docs" / "zero-copy.md"
CLAIMS = REPOSITORY / "docs" / "zero-copy-claims.md"
FIGURES = REPOSITORY / "docs" / "zero-copy-figures.md"
HEAD = "| technique | command | test |"


def rows() -> list[list[str]]:
    """The cells of the map, without its head and rule."""
    lines = PAGE.read_text().splitlines()
    below = lines[lines.index(HEAD) + 2 :]
    table = itertools.takewhile(lambda line: line.startswith("|"), below)
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table]


ROWS = rows()
ROW_NAMES = [row[0] for row in ROWS]


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
    assert list(commands(f"`{row[1]}`")) == [row[1]]
    assert not unknown_words(row[1])


@pytest.mark.parametrize("page", [PAGE, CLAIMS], ids=lambda page: page.stem)
def test_the_code_that_is_named_is_there(page: Path) -> None:
    words = page.read_text().split("`")[1::2]
    named = [word for word in words if word.endswith(".py") and "*" not in word]
    assert named
    for word in named:
        places = (REPOSITORY / word, REPOSITORY / "spliceproxy" / word)
        assert any(place.is_file() for place in places), word


def test_each_work_that_a_claim_names_is_in_the_benchmark() -> None:
    works = {trial.name for trial in catalogue([1 << 10])}
    claims = CLAIMS.read_text().partition("\n## How to watch it\n")[0]
    seen = [line.rsplit("|", 2)[1] for line in claims.splitlines() if "|" in line]
    named = [
        word
        for cell in seen
        for word in cell.split("`")[1::2]
        if re.fullmatch(r"[a-z]+(-[a-z0-9]+)+|sizes|relay|memory", word)
    ]
    assert len(named) > 20
    assert not [word for word in named if word not in works]


def test_the_benchmark_has_a_place_for_its_figures() -> None:
    text = FIGURES.read_text()
    assert text.count("<!-- transfer: begin, written by tools.bench -->\n") == 1
    assert text.count("<!-- transfer: end -->\n") == 1
