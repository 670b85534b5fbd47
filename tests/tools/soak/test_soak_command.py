"""The soak runs to its end, and can be ended before."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.processes import children, is_alive, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

REPOSITORY = Path(__file__).resolve().parents[3]
SECONDS = "12"
END_TIMEOUT_S = 30
RESTS_TIMEOUT_S = 240
"""A few seconds; but everything else runs beside it, and a soak waits long for what has to end."""


@contextmanager
def running(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start a soak that keeps its files below a directory; it must have ended in the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.soak", *options],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def short_directory() -> Iterator[Path]:
    """Yield a directory whose path leaves room for names of unix sockets."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        yield Path(name)


@pytest.mark.timeout(RESTS_TIMEOUT_S + 60)
def test_a_short_one_finds_that_nothing_grows_and_all_adds_up() -> None:
    with short_directory() as directory, running(directory, "--seconds", SECONDS) as soak:
        output, errors = soak.communicate(timeout=RESTS_TIMEOUT_S)
        left = list(directory.iterdir())
    assert soak.returncode == 0, f"{output}\n{errors}"
    assert output.endswith("Nothing has grown, and all adds up.\n")
    for figure in ("descriptors, a worker", "memory, master", "zombies", "audit files"):
        assert figure in output
    for done in ("reloads", "workers killed", "mirrors attached", "DNS answers changed"):
        assert done in output
    assert left == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_all_that_it_has_started(number: signal.Signals) -> None:
    with short_directory() as directory, running(directory, "--seconds", "600") as soak:
        assert soak.stderr is not None
        assert "load and trouble" in soak.stderr.readline()
        programs = children(soak.pid)
        everybody = [*programs, *(pid for program in programs for pid in children(program))]
        assert len(everybody) > len(programs) > 0
        soak.send_signal(number)
        assert soak.wait(END_TIMEOUT_S) == 130
        wait_until(lambda: not any(map(is_alive, everybody)), END_TIMEOUT_S, "all have ended")
        assert list(directory.iterdir()) == []


def test_a_directory_that_is_there_is_not_used(tmp_path: Path) -> None:
    with running(tmp_path, "--keep", str(tmp_path)) as soak:
        _, errors = soak.communicate(timeout=END_TIMEOUT_S)
    assert soak.returncode == 1
    assert f"--keep {tmp_path}: File exists" in errors
