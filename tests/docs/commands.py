"""The commands and paths that the documentation names."""

import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from spliceproxy.cli.main import command as spliceproxy

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CHANGELOG.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
]

_BEGINNINGS = ("spliceproxy ", "python -m ", "tools/run ")
_ANY = "NAME"
"""Stands for the name of any module in a package."""


def commands(text: str) -> Iterator[str]:
    """Return what a page shows to be typed: indented, in a shell's block, or between backticks."""
    text = text.replace("\\\n", " ")
    lines = re.findall(r"^(?:    )?(?:\$ )?((?:spliceproxy|python|tools/run) .*)", text, re.M)
    quoted = re.findall(r"`([^`\n]+)`", text)
    for found in [*lines, *quoted]:
        if found.startswith(_BEGINNINGS):
            yield found


def program(name: str) -> click.Command | None:
    """Return the click command that `python -m` starts; None where there is another program.

    Raises:
        AssertionError: there is no such module, or it cannot be started.
    """
    package, _, last = name.rpartition(".")
    spec = importlib.util.find_spec(package if last == _ANY else name)
    assert spec is not None, f"no module {name}"
    if last == _ANY:
        return None
    if spec.submodule_search_locations is not None:
        name += ".__main__"
        spec = importlib.util.find_spec(name)
    assert spec is not None, f"{name}: python -m cannot start it"
    assert spec.origin is not None
    assert 'if __name__ == "__main__":' in Path(spec.origin).read_text(), f"{name} starts nothing"
    main = getattr(importlib.import_module(name), "main", None)
    return main if isinstance(main, click.Command) else None


def unknown_words(typed: str) -> list[str]:
    """Return the options, and subcommands, that the program of a command does not know."""
    words = [word.strip("[]") for word in shlex.split(typed, comments=True)]
    if words[0] == "python":
        command, rest = program(words[2]), words[3:]
    else:
        command, rest = spliceproxy, words[1:]
    if command is None:
        return []
    known = set(_options(command))
    unknown = []
    for number, word in enumerate(rest):
        if word.startswith("--"):
            unknown += [] if word.partition("=")[0] in known else [word]
        elif isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
            known.update(_options(command))
        elif isinstance(command, click.Group) and number == 0 and word.isalpha():
            unknown.append(word)
    return unknown


def _options(command: click.Command) -> Iterator[str]:
    yield "--help"
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
