"""`tools.companions.mapped` gives tables, or one line that says what is wrong."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.companions.mapped.__main__ import main
from tools.companions.mapped.recording import WAYS


def run(*arguments: object) -> tuple[int, str, str]:
    outcome = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return outcome.exit_code, outcome.stdout, outcome.stderr


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(bytes(300_000))
    return file


def test_writes_and_their_price(tmp_path: Path) -> None:
    status, text, _error = run(
        "write", "--directory", tmp_path, "--size", "64KiB", "--records", "2"
    )
    assert status == 0
    assert [line.split("  ")[0] for line in text.splitlines()[2:]] == list(WAYS)
    assert not list(tmp_path.iterdir())


def test_kills_and_what_is_left(tmp_path: Path) -> None:
    status, text, _error = run("kill", "--directory", tmp_path)
    assert status == 0
    assert [line.split() for line in text.splitlines()[2:]] == [
        ["shared", "no", "yes"],
        ["shared", "yes", "yes"],
        ["private", "no", "no"],
        ["private", "yes", "no"],
    ]


@pytest.mark.parametrize(
    "arguments", [("sum", "--window", "64KiB"), ("random", "--reads", 10, "--block", "64B")]
)
def test_all_ways_to_read_agree(path: Path, arguments: tuple[object, ...]) -> None:
    status, text, error = run(*arguments, path)
    assert (status, error) == (0, "")
    assert len({line.split()[-1] for line in text.splitlines()[2:]}) == 1
    assert "\nmap, second pass " in text


def test_large_pages_and_dropped_ones() -> None:
    status, text, _error = run("pages", "--size", "2MiB")
    assert status == 0
    assert "\nMADV_HUGEPAGE " in text
    assert "\nMAP_HUGETLB " in text
    assert text.endswith("what was written\n")


@pytest.mark.parametrize(
    ("arguments", "words", "wanted"),
    [
        (("sum", "--window", "1000B"), "no multiple", 2),
        (("random", "--block", "1MiB"), "no block", 2),
    ],
)
def test_what_cannot_be_asked_for(
    path: Path, arguments: tuple[str, ...], words: str, wanted: int
) -> None:
    status, _text, error = run(*arguments, path)
    assert (status, words in error) == (wanted, True)


def test_a_file_that_is_missing_is_one_line(tmp_path: Path) -> None:
    status, _text, error = run("sum", tmp_path / "missing")
    assert (status, error) == (1, f"Error: {tmp_path / 'missing'}: No such file or directory\n")
