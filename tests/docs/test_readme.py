"""What the README shows works, and it stays short."""

import re
from pathlib import Path

import pytest

import spliceproxy
from tests.routes_file.reading import settings_of

README = (Path(spliceproxy.__file__).parent.parent / "README.md").read_text()
MOST_LINES = 150


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= MOST_LINES


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", README, re.DOTALL))
def test_its_routes_file_is_correct(text: str) -> None:
    assert [route.name for route in settings_of(text).routes] == ["web", "database"]


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (Path(spliceproxy.__file__).parent.parent / link).exists(), link
