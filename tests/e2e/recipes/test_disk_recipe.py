"""A disk that fills while it is captured onto."""

from collections.abc import Callable

import pytest

from .page import recipes
from .recipe_shell import RecipeShell

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_full_disk_costs_a_part_of_the_capture_and_no_traffic(
    shell_with_mounts: RecipeShell, program: Callable[[str], str]
) -> None:
    program("redis-server")
    shell = shell_with_mounts
    recipe = recipes()["A disk that runs full"]
    assert recipe.blocks[0] == ("unshare --mount bash",)
    for number in range(1, len(recipe.blocks)):
        shell.follow_block(recipe, number, {"cat /dev/zero": 1})
    shell.check_shown(recipe)
