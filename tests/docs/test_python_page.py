"""The tests that docs/python.md shows are those that the suite runs."""

import re

from tests.docs.commands import REPOSITORY

PAGE = (REPOSITORY / "docs" / "python.md").read_text()
SHOWN = "tests/test_in_process.py"


def test_the_page_shows_the_file() -> None:
    assert f"`{SHOWN}`" in PAGE
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert shown == (REPOSITORY / SHOWN).read_text()


def test_they_import_what_is_public_alone() -> None:
    imported = re.findall(r"^(?:from|import) (spliceproxy\S*)", PAGE, re.MULTILINE)
    assert imported == ["spliceproxy"]


def test_each_is_short() -> None:
    tests = re.findall(r"^async def test_.*\n((?:[ ].*\n)+)", PAGE, re.MULTILINE)
    assert len(tests) == 2
    assert all(len(body.splitlines()) < 10 for body in tests)
