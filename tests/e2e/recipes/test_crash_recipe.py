"""A worker that is killed while it captures."""

from collections.abc import Callable

import pytest

import spliceproxy.capture

from .page import recipes
from .recipe_shell import RecipeShell

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_all_but_the_last_moments_can_be_read(
    shell: RecipeShell, program: Callable[[str], str]
) -> None:
    program("redis-server")
    recipe = recipes()["A worker that is killed"]
    shell.follow(recipe)
    [killed] = [each for each in shell.typed if each.command.startswith("kill -KILL")]
    [connection] = [
        connection
        for connection in spliceproxy.capture.open(shell.directory / "capture").connections()
        if connection.reason == ""
    ]
    # The page says 100 ms; a disk that all tests share may hold up a write for longer.
    assert connection.last_ns > killed.at_ns - 2_500_000_000
    kept = (shell.directory / "kept").read_bytes()
    answers = kept.count(b"\r\n")
    assert answers > 0
    assert kept == b"".join(b":%d\r\n" % number for number in range(1, answers + 1))
