"""What docs/capture-recipes.md has to be typed, recipe by recipe, and what it shows as output."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.docs.commands import REPOSITORY

PAGE = REPOSITORY / "docs" / "capture-recipes.md"


@dataclass(frozen=True)
class Recipe:
    """One section of the page."""

    blocks: tuple[tuple[str, ...], ...]
    """Commands, of which those that stand together are typed together."""
    shown: tuple[str, ...]
    """Lines of output; a … stands for anything."""


def recipes() -> dict[str, Recipe]:
    """Return all recipes, by their headings."""
    found = {}
    for section in PAGE.read_text().split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        blocks = tuple(tuple(_commands(body)) for kind, body in fences if kind == "sh")
        shown = [line for kind, body in fences if not kind for line in body.splitlines()]
        found[heading] = Recipe(blocks, tuple(filter(None, shown)))
    return found


def _commands(block: str) -> Iterator[str]:
    """Divide a block into commands, which may go over lines: by a backslash, or a here-document."""
    lines = iter(block.splitlines())
    for line in lines:
        command = line
        while command.endswith("\\"):
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
