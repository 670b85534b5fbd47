"""A git daemon behind the proxy: clone, check and push."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import random_bytes
from .servers import run, serving

pytestmark = pytest.mark.e2e


def test_clone_and_push(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path
) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "Test", f"GIT_{who}_EMAIL": "test@example.org"}
    program_git, shared, clone = program("git"), tmp_path / "shared.git", tmp_path / "clone"

    def git(*arguments: str, at: Path = clone) -> str:
        return run([program_git, *arguments], cwd=at, env=environment)

    git("init", "--quiet", "--bare", str(shared), at=tmp_path)
    port = free_port()
    argv = [program_git, "daemon", f"--base-path={tmp_path}", "--export-all", "--reuseaddr"]
    argv += ["--enable=receive-pack", "--listen=127.0.0.1", f"--port={port}"]
    with serving(argv, port, tmp_path / "log", env=environment):
        proxy = start_proxy("--backend", f"127.0.0.1:{port}")
        url = f"git://127.0.0.1:{proxy.port}/shared.git"
        git("clone", "--quiet", url, str(clone), at=tmp_path)
        for number in range(3):
            (clone / f"file{number}").write_bytes(random_bytes(3 << 20, seed=number))
            git("add", ".")
            git("commit", "--quiet", "--message", f"number {number}")
        git("push", "--quiet", "origin", "HEAD:main")
        git("clone", "--quiet", "--branch", "main", url, str(tmp_path / "again"), at=tmp_path)
    git("fsck", "--full", at=tmp_path / "again")
    assert (tmp_path / "again" / "file2").read_bytes() == random_bytes(3 << 20, seed=2)
