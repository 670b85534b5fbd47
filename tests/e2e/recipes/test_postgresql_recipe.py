"""PostgreSQL under pgbench, compared with the same one, and with one of another schema."""

import pytest

from .page import recipes
from .recipe_shell import RecipeShell

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_what_a_migration_changes_is_found(shell_of_postgresql: RecipeShell) -> None:
    shell = shell_of_postgresql
    recipe = recipes()["PostgreSQL: a column of another type"]
    # Debian's version may be another one; the shell has its directory in its path.
    assert recipe.blocks[0][0].startswith("export PATH=$PATH:/usr/lib/postgresql/")
    for number in range(4):
        shell.follow_block(recipe, number)
    shell.follow_block(recipe, 4, {"spliceproxy compare": 1})
    shell.check_shown(recipe)
