"""`python -m tools.companions.ring` gives a table, or one line that says what is wrong."""

import pytest
from click.testing import CliRunner

from tools.companions.ring.__main__ import main


def run(*arguments: str) -> tuple[int, str, str]:
    outcome = CliRunner().invoke(main, arguments)
    return outcome.exit_code, outcome.stdout, outcome.stderr


@pytest.mark.slow
def test_the_ring_is_held_against_a_pipe_and_a_pair_of_sockets() -> None:
    status, table, progress = run("--wake", "eventfd", "--size", "1", "--rounds", "1")
    assert status == 0
    assert [line.split()[0] for line in table.splitlines()[2:]] == [
        "ring-eventfd",
        "pipe",
        "socketpair",
    ]
    assert progress.count("round 1/1") == 3


def test_a_writer_that_dies_is_one_line() -> None:
    status, _table, error = run("--wake", "eventfd", "--size", "8", "--die-after", "2")
    assert status == 1
    assert error == (
        "Error: the writer died: all 2,097,152 bytes that it had published were read, "
        "the rest of its stream is missing\n"
    )


@pytest.mark.parametrize(
    "arguments", [("--wake", "futex"), ("--ring", "0"), ("--size", "-1"), ("--timeout", "0")]
)
def test_what_cannot_be_asked_for_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    status, _table, error = run(*arguments)
    assert status == 2
    assert arguments[0] in error
