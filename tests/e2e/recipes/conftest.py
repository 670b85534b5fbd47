"""Shells for recipes."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .recipe_shell import RecipeShell, search_path


@contextmanager
def opened(directory: Path, programs: Path, *before: str) -> Iterator[RecipeShell]:
    """Open a shell; what has been started in it is gone afterwards."""
    directory.mkdir(exist_ok=True)
    shell = RecipeShell(directory, *before, path=search_path(programs))
    try:
        yield shell
    finally:
        shell.close()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[RecipeShell]:
    with opened(tmp_path / "recipe", tmp_path) as shell:
        yield shell


@pytest.fixture
def shell_with_mounts(tmp_path: Path, program: Callable[[str], str]) -> Iterator[RecipeShell]:
    """A shell with mounts of its own, as the page has one opened; skips where that is forbidden."""
    before = [program("unshare"), "--mount"]
    if os.geteuid() != 0:
        before.insert(1, "--map-root-user")
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("namespaces take rights that this user does not have")
    with opened(tmp_path / "recipe", tmp_path, *before) as shell:
        yield shell


@pytest.fixture
def shell_of_postgresql(program: Callable[[str], str], tmp_path: Path) -> Iterator[RecipeShell]:
    """A shell in which PostgreSQL's servers run as another user than root, as they want to."""
    names = ("initdb", "pg_ctl")
    paths = [program(name) for name in names]
    # Not under pytest's directory, which only root can enter.
    with tempfile.TemporaryDirectory(prefix="recipe-") as temporary:
        directory = Path(temporary)
        if os.geteuid() == 0:
            directory.chmod(0o711)
            for name in ("old", "new", "db"):
                subprocess.run(["install", "-d", "-o", "postgres", directory / name], check=True)
            other = "setpriv --reuid=postgres --regid=postgres --clear-groups"
            for name, path in zip(names, paths, strict=True):
                given = f"chown -R postgres {directory}/db"  # what a recipe puts there
                (tmp_path / name).write_text(f'#!/bin/sh\n{given}\nexec {other} {path} "$@"\n')
                (tmp_path / name).chmod(0o755)
        with opened(directory, tmp_path) as shell:
            yield shell
