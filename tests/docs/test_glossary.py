"""The glossary agrees with the code: what it says is there, and a name is given once."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import spliceproxy

PACKAGE = Path(spliceproxy.__file__).parent
REPOSITORY = PACKAGE.parent
LINES = (REPOSITORY / "docs" / "glossary.md").read_text().splitlines()
ROWS = [line.strip("| ").split(" | ") for line in LINES if line.startswith("| ")][1:]
IN_CODE = {row[0]: re.findall(r"`([^`]+)`", row[2]) for row in ROWS if len(row) > 2}


def find_module(name: str) -> Path | None:
    """The module or room of that path in the package, or else in the repository."""
    paths = (root / name for root in (PACKAGE, REPOSITORY))
    candidates = (one for path in paths for one in (path.with_suffix(".py"), path))
    return next((path for path in candidates if path.exists()), None)


@cache
def names_in(path: Path) -> frozenset[str]:
    """The classes and types that a module defines."""
    body = ast.parse(path.read_text()).body
    classes = {node.name for node in body if isinstance(node, ast.ClassDef)}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return frozenset(classes | {one.id for one in targets if isinstance(one, ast.Name)})


def test_each_word_is_listed_once_in_order() -> None:
    words = [row[0].lower() for row in ROWS]
    assert words == sorted(set(words))
    assert len(IN_CODE) > 50


@pytest.mark.parametrize("word", IN_CODE)
def test_a_word_is_where_the_glossary_says(word: str) -> None:
    names = [name for name in IN_CODE[word] if name[0].isupper()]
    modules = [name for name in IN_CODE[word] if not name[0].isupper()]
    assert modules
    found = {module: find_module(module) for module in modules}
    assert not [module for module, path in found.items() if path is None]
    defined = {
        name for path in found.values() if path and path.is_file() for name in names_in(path)
    }
    assert not [name for name in names if name not in defined]


def test_no_two_modules_have_a_class_of_the_same_name() -> None:
    classes = Counter(
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not [name for name, count in classes.items() if count > 1]
