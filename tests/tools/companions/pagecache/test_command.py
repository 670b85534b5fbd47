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
    status, text, _error = run("file", str(path), "--warm")
    assert status == 0
    assert text.count(" pages resident (") == 2
    assert "after --warm: 10 of 10 pages resident (100.0%, 0.0 MiB)\n[██████████]\n" in text


def test_every_way_to_read_is_measured_warm_and_cold(path: Path) -> None:
    status, text, _error = run("file", str(path), "--measure")
    assert status == 0
    for way in WAYS:
        assert text.count(f"\n{way} ") == 2


def test_a_process_is_shown_map_by_map() -> None:
    status, text, _error = run("maps", str(os.getpid()))
    assert status == 0
    maps, machine = text.split("\n\n")
    assert maps.splitlines()[1].split() == [
        *("region", "may", "offset", "size", "resident", "shared", "dirty", "backing")
    ]
    assert "[stack]" in maps
    assert maps.splitlines()[-1].startswith("total ")
    assert {"Cached", "Buffers"} < {line.split()[0] for line in machine.splitlines()}


def test_a_process_is_added_up() -> None:
    status, text, _error = run("maps", str(os.getpid()), "--sum")
    assert status == 0
    backings = text.split("\n\n")[0].splitlines()
    assert len(backings) <= 19
    assert backings[-1].startswith("total ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("file",), "Missing argument 'FILE'"),
        (("maps", "0"), "'PID'"),
        (("file", "path", "--warm", "--drop"), "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments: tuple[str, ...], words: str) -> None:
    status, _text, error = run(*arguments)
    assert (status, words in error) == (2, True)


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    status, _text, error = run("file", str(tmp_path / "missing"))
    assert status == 1
    assert error == f"Error: {tmp_path / 'missing'}: No such file or directory\n"
    status, _text, error = run("maps", str((1 << 22) + 1))
    assert (status, error.count("\n")) == (1, 1)
