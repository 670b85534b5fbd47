"""`tools.companions.pagecache` shows a file, a process, or one line that says what is wrong."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.companions.pagecache.__main__ import main
from tools.companions.pagecache.reading import WAYS


def run(*arguments: str) -> tuple[int, str, str]:
    outcome = CliRunner().invoke(main, arguments)
    return outcome.exit_code, outcome.stdout, outcome.stderr


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(bytes(10 * 4096))
    return file


def test_a_file_is_shown_before_and_after(path: Path) -> None:
    status, text, _error = run(str(path), "--warm")
    assert status == 0
    assert text.count(" pages resident (") == 2
    assert "after --warm: 10 of 10 pages resident (100.0%, 0.0 MiB)\n[██████████]\n" in text


def test_every_way_to_read_is_measured_warm_and_cold(path: Path) -> None:
    status, text, _error = run(str(path), "--measure")
    assert status == 0
    for way in WAYS:
        assert text.count(f"\n{way} ") == 2


def test_a_process_is_shown() -> None:
    status, text, _error = run("--maps", str(os.getpid()))
    assert status == 0
    assert text.splitlines()[-1].startswith("total ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name a FILE"),
        (("file", "--maps", "1"), "name a FILE"),
        (("file", "--warm", "--drop"), "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments: tuple[str, ...], words: str) -> None:
    status, _text, error = run(*arguments)
    assert (status, words in error) == (2, True)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    status, _text, error = run(str(tmp_path / "missing"))
    assert status == 1
    assert error == f"Error: {tmp_path / 'missing'}: No such file or directory\n"
