"""The relay core: small enough for one sitting, and without knowledge of who uses it."""

from pathlib import Path

import pytest

import spliceproxy.pump
from tests.test_imports import imported_modules

ROOM = Path(spliceproxy.pump.__file__).parent
FILES = sorted(ROOM.glob("*.py"))

MOST_LINES = 750

UNKNOWN = ("tap", "pacing", "reasons", "loop.dial")
"""Who copies and who slows down, how ends are called for people, and where sockets come from."""


def test_it_is_read_in_one_sitting() -> None:
    assert sum(len(path.read_text().splitlines()) for path in FILES) <= MOST_LINES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_knows_nothing_of_its_users(path: Path) -> None:
    forbidden = tuple(f"spliceproxy.{name}." for name in UNKNOWN)
    found = [name for name in imported_modules(path) if f"{name}.".startswith(forbidden)]
    assert found == []
