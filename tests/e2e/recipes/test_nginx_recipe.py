"""nginx with one header that has changed, and two that differ always."""

import re
import time
from collections.abc import Callable

import pytest

from .page import recipes
from .recipe_shell import RecipeShell

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_changed_header_is_found(shell: RecipeShell, program: Callable[[str], str]) -> None:
    program("nginx")
    program("curl")
    recipe = recipes()["nginx: a changed header among random ones"]
    changed = {"spliceproxy compare": 1}
    shell.follow_block(recipe, 0)
    shell.follow_block(recipe, 1)
    time.sleep(1.1)  # whoever types is slower: no date is the recorded one
    shell.follow_block(recipe, 2, changed)
    shell.follow_block(recipe, 3, changed)
    shell.check_shown(recipe)
    with_old, without = shell.outputs("spliceproxy compare")
    assert re.findall(r"header[^ ]*", without) == ["header.cache-control"]
    assert "header.cache-control" in (shell.directory / "report.html").read_text()
    assert "header.date" not in with_old
