"""What the README shows works, and it stays short."""

import json
import re
import subprocess
import sys

import pytest

from spliceproxy.observe.access_json import json_renderer
from tests.docs.commands import REPOSITORY
from tests.observe.records import make_record
from tests.routes_file.reading import settings_of

README = (REPOSITORY / "README.md").read_text()
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
        assert (REPOSITORY / link).exists(), link


def test_its_program_runs() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert re.fullmatch(r"\[\('127\.0\.0\.1', \d+\)\] up\n", run.stdout)
    assert not run.stderr


def test_its_log_line_has_the_keys_of_the_log() -> None:
    (line,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert list(json.loads(line)) == list(json.loads(json_renderer(0, 0)(make_record())))
