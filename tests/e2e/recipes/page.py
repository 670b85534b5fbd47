"""What pages of recipes have to be typed, recipe by recipe, and what they show as output."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.commands import REPOSITORY

CAPTURES = REPOSITORY / "docs" / "capture-recipes.md"
TLS = REPOSITORY / "docs" / "tls-setups.md"


@dataclass(frozen=True)
class Recipe:
    """One section of the page."""

    blocks: tuple[tuple[str, ...], ...]
    """Commands, of which those that stand together are typed together."""
    shown: tuple[str, ...]
    """Lines of output; a … stands for anything."""


def recipes(page: Path = CAPTURES) -> dict[str, Recipe]:
    """Return all recipes of a page, by their headings."""
    found = {}
    for section in page.read_text().split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        blocks = tuple(tuple(_commands(body)) for kind, body in fences if kind == "sh")
        shown = [line for kind, body in fences if not kind for line in body.splitlines()]
        found[heading] = Recipe(blocks, tuple(filter(None, shown)))
    return found


def _commands(block: str) -> Iterator[str]:
    """Divide a block into commands, which may go over lines: by a backslash, a pipe, a
    here-document, or as a function."""
    lines = iter(block.splitlines())
    for line in lines:
        command = line
        while command.endswith(("\\", "|")):
            command += "\n" + next(lines)
        while re.search(r"\{$", line) and not command.endswith("}"):
            command += "\n" + next(lines)
        if here := re.search(r"<<'(\w+)'", line):
            while not command.endswith("\n" + here[1]):
                command += "\n" + next(lines)
        yield command


def is_shown(line: str, output: str) -> bool:
    """Tell whether output has such a line, with whatever stands for …, and for blanks."""
    pieces = (r"\s+".join(map(re.escape, piece.split())) for piece in line.split("…"))
    return (
        re.search(rf"^\s*{r'.*?'.join(pieces)}\s*$".replace(r"\ ", " "), output, re.M) is not None
    )
