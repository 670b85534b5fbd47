"""Output that cannot be written, and arguments that are missing: one line each."""

import subprocess
import sys
from pathlib import Path

import pytest

from spliceproxy.cli.main import run
from tests.capture.recorded import Recorded

COMMAND = str(Path(sys.executable).with_name("spliceproxy"))
FIRST = "0000000000000001-1"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"x" * 100_000)
    recorded.close(1)
    recorded.seal()
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "capture ls DIR",
        "capture connections DIR --json",
        f"capture show DIR {FIRST}",
        f"capture show DIR {FIRST} --raw request",
        "capture pcapng DIR -o -",
        "replay DIR --to 127.0.0.1:1 --dry-run",
    ],
)
def test_a_full_disk_is_one_line(directory: Path, words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [COMMAND, *words.replace("DIR", str(directory)).split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=50,
            check=False,
        )
    why = "the output cannot be written to its end: No space left on device"
    assert (done.returncode, done.stderr) == (2, f"spliceproxy: {why}\n")


@pytest.mark.parametrize("words", [f"show DIR {FIRST} --raw request", "ls DIR", "follow DIR"])
def test_a_closed_output_is_one_line(directory: Path, words: str) -> None:
    command = f"{COMMAND} capture {words.replace('DIR', str(directory))} >&-"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("spliceproxy: the standard output is closed; ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("capture show DIR", "Missing argument 'CONNECTION'; see spliceproxy capture show --help"),
        ("replay DIR", "Missing option '--to'; see spliceproxy replay --help"),
        ("capture sho", "No such command 'sho'. Did you mean 'show'?; see spliceproxy capture"),
    ],
)
def test_what_is_missing_is_named(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words.split()) == 2
    assert said in capsys.readouterr().err


def test_a_duration_is_that_of_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The record of the end waits for mirrors, up to 0.1 s."""
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.close(1, 107, duration_s=0.007)
    recorded.open(2)
    recorded.close(2, 107)
    recorded.seal()
    assert run(["capture", "connections", str(tmp_path), "--json"]) == 0
    out = capsys.readouterr().out
    assert ['"duration_s": 0.007' in line for line in out.splitlines()] == [True, False]
    assert '"duration_s": 0.107' in out
