"""What options and keys of a routes file say in the same words is written once."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import spliceproxy

PACKAGE = Path(spliceproxy.__file__).parent
FILES = [path for room in ("cli", "settings") for path in sorted((PACKAGE / room).rglob("*.py"))]

FEWEST_CHARACTERS = 25
"""Shorter sentences may be the same by chance."""


def docstrings(tree: ast.AST) -> set[ast.AST]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def sentences(path: Path) -> Iterator[str]:
    """The sentences of the texts in a file's code, whatever quotes they use."""
    tree = ast.parse(path.read_text())
    left_out = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in left_out:
            for sentence in re.findall(r"[^\s].*?\.(?=\s|$)", node.value):
                yield sentence.replace("`", "").replace("'", "")


def test_no_help_text_is_written_twice() -> None:
    found = Counter(sentence for path in FILES for sentence in sentences(path))
    assert any("silent in both directions" in sentence for sentence in found)
    twice = [one for one, count in found.items() if count > 1 and len(one) >= FEWEST_CHARACTERS]
    assert not twice
