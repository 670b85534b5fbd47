"""Redis recorded, and compared with one of which a command has another name."""

from collections.abc import Callable

import pytest

from tests.docs.commands import REPOSITORY

from .page import recipes
from .recipe_shell import RecipeShell

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_renamed_command_is_all_that_is_found(
    shell: RecipeShell, program: Callable[[str], str]
) -> None:
    program("redis-server")
    lines = (REPOSITORY / "tests/e2e/recipes/redis-commands.txt").read_text().splitlines()
    assert len({tuple(line.split()[:2]) for line in lines}) > 200
    # Some of the commands are wrong on purpose: redis-cli tells that by its status.
    shell.follow(recipes()["Redis: a renamed command"], {"redis-cli": 1, "spliceproxy compare": 1})
    [told] = shell.outputs("spliceproxy compare")
    assert told.startswith("1 difference in ")
    assert f"replies: {len(lines)}\n" in shell.outputs("redis-cli")[0]
