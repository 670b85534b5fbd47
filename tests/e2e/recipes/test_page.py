"""The page and its tests belong together."""

from pathlib import Path

import pytest

from .page import CAPTURES, TLS, is_shown, recipes


@pytest.mark.parametrize(
    ("page", "call"), [(CAPTURES, "recipes()"), (TLS, "recipes(TLS)")], ids=["captures", "tls"]
)
def test_each_recipe_has_a_test(page: Path, call: str) -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*_recipe.py"))
    assert len(recipes(page)) > 5
    for heading, recipe in recipes(page).items():
        assert f'{call}["{heading}"]' in tests
        assert recipe.blocks


@pytest.mark.parametrize(
    ("line", "is_there"),
    [("1  …  found", True), ("…found", True), ("found", False), ("1 … fond", False)],
)
def test_shown_lines_are_looked_for(line: str, is_there: bool) -> None:
    assert is_shown(line, "x\n   1    of 2 found\ny") is is_there
