"""What docs/captures.md shows works."""

import re
import subprocess
import sys
from pathlib import Path

from spliceproxy.cli.capture.command import capture
from tests.capture.recorded import Recorded
from tests.docs.commands import REPOSITORY

PAGE = (REPOSITORY / "docs" / "captures.md").read_text()


def test_every_command_is_told_of() -> None:
    for name in capture.commands:
        assert f"spliceproxy capture {name} " in PAGE


def test_its_program_runs(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1, route="web")
    recorded.data(1, b"question", 1)
    recorded.close(1, 2, reason="client_reset")
    recorded.seal()
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, tmp_path],
        check=True,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert run.stdout.splitlines() == [
        "0000000000000001-1 192.0.2.1:40001 client_reset",
        "1790000000001000000 request 0 b'question'",
    ]
    assert not run.stderr


def test_its_table_and_its_dialogue_are_as_the_commands_write_them() -> None:
    from spliceproxy.cli.capture.ls import _HEADINGS

    heads = next(line for line in PAGE.splitlines() if line.startswith("segment  "))
    assert heads.split() == list(_HEADINGS)
