"""Each command that the documentation shows can be typed, and each path in tools/ is there."""

import re
from pathlib import Path

import pytest

from tests.docs.commands import PAGES, REPOSITORY, commands, program, unknown_words

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@each_page
def test_its_commands_have_their_options(page: Path) -> None:
    for typed in commands(page.read_text()):
        assert not unknown_words(typed), typed


@each_page
def test_its_modules_can_be_started(page: Path) -> None:
    for name in re.findall(r"python -m\s+(tools[\w.]*)", page.read_text()):
        program(name.rstrip("."))


@each_page
def test_its_paths_are_there(page: Path) -> None:
    named = re.findall(r"(?<![\w/.-])((?:tools|tests)/[\w./-]*\w)", page.read_text())
    assert not [path for path in named if not (REPOSITORY / path).exists()]


def test_commands_are_found_and_looked_at() -> None:
    shown = "`python -m tools.companions.echo --delya 1s` or\n\n    $ tools/run --lisen 1\n"
    assert [unknown_words(typed) for typed in commands(shown)] == [["--lisen"], ["--delya"]]
    assert unknown_words("spliceproxy cta status") == ["cta"]
    with pytest.raises(AssertionError, match="no module"):
        program("tools.companions.ecoh")
    assert sum(len(list(commands(page.read_text()))) for page in PAGES) > 80
