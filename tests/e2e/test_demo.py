"""The README's first command runs to its end and says that all was right."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


# It moves gigabytes, with every other program of the suite beside it.
@pytest.mark.timeout(180)
def test_the_demo_finds_every_byte() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("equal") == 3
    assert "copied 0" in done.stdout
