"""Set-ups with TLS, with certificates as the page has them made."""

import json
import re
from collections.abc import Callable

import pytest

from .page import TLS, Recipe, recipes
from .recipe_shell import RecipeShell

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def follow(shell: RecipeShell, recipe: Recipe) -> None:
    """Make certificates, then go on."""
    shell.follow(recipes(TLS)["Certificates"])
    shell.follow(recipe)


def test_https(shell: RecipeShell, program: Callable[[str], str]) -> None:
    program("openssl")
    program("curl")
    follow(shell, recipes(TLS)["https in front of http"])


def test_a_database(shell_of_postgresql: RecipeShell) -> None:
    recipe = recipes(TLS)["A database with TLS on both sides"]
    # Debian's version may be another one; the shell has its directory in its path.
    assert recipe.blocks[0][0].startswith("export PATH=$PATH:/usr/lib/postgresql/")
    follow(shell_of_postgresql, recipe)


def test_a_tunnel(shell: RecipeShell, program: Callable[[str], str]) -> None:
    program("openssl")
    program("redis-server")
    shell.follow(recipes(TLS)["Certificates"])
    shell.follow(recipes(TLS)["A tunnel between two proxies"])
    *_, without, other = shell.outputs("redis-cli")
    assert not re.search(r"^value$", without + other, re.M)


def test_some_names_pass_through(shell: RecipeShell, program: Callable[[str], str]) -> None:
    program("openssl")
    program("curl")
    follow(shell, recipes(TLS)["Some names pass through"])
    [log] = shell.logs("spliceproxy --config")
    lines = {
        line["server_name"]: line
        for line in map(json.loads, log.splitlines())
        if "server_name" in line
    }
    assert lines["other.example"]["tls"] is None
    assert lines["other.example"]["spliced_bytes"] > 0
    assert lines["localhost"]["tls"]["version"] == "TLSv1.3"
    assert lines["localhost"]["spliced_bytes"] == 0


def test_seeing_into_tls(shell: RecipeShell, program: Callable[[str], str]) -> None:
    program("openssl")
    program("curl")
    follow(shell, recipes(TLS)["Seeing into TLS"])
