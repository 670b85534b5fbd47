"""The doctor as an ordinary user, whose pipes and ports have limits that root does not meet."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .proxy_command import Launcher
from .test_unprivileged import every_pipe_held
from .unprivileged import unprivileged_launcher

pytestmark = [pytest.mark.e2e, pytest.mark.alone("uses up a user's quota of pipes")]

SOFT = Path("/proc/sys/fs/pipe-user-pages-soft")


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with unprivileged_launcher() as launcher:
        yield launcher


def examine(launcher: Launcher, *arguments: str) -> tuple[int, dict[str, Any]]:
    process = launcher.popen("doctor", "--json", *arguments, stderr=subprocess.PIPE)
    output, error = process.communicate(timeout=30)
    assert error == b""
    found = json.loads(output)["findings"]
    return process.returncode, {finding["check"]: finding for finding in found}


@pytest.fixture
def config() -> Iterator[str]:
    """A routes file that anybody may read, with more workers than a quota has pipes for."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("workers: 8\nroutes: [{listen: '127.0.0.1:80', backends: 'b:80'}]\n")
        file.flush()
        Path(file.name).chmod(0o644)
        yield file.name


def test_the_quota_of_pipes_is_found(launcher: Launcher, config: str) -> None:
    quota_pages = int(SOFT.read_text())
    if not 0 < quota_pages < 8 * 64 * 256:
        pytest.skip(f"pipes have no quota worth the name here: {quota_pages} pages")
    _, found = examine(launcher, "--config", config)
    pipes = found["pipes.full_size"]
    assert pipes["status"] == "warn"
    assert pipes["values"]["wanted"] == 8 * 64
    # Others of this user may hold some of it.
    assert 0 < pipes["values"]["full_size"] <= quota_pages // 256
    assert pipes["remedy"].startswith(f"sysctl -w fs.pipe-user-pages-soft={8 * 64 * 256 + 1024}")


def test_a_used_up_quota(launcher: Launcher) -> None:
    with every_pipe_held(launcher):
        status, found = examine(launcher)
    assert status == 0
    assert found["pipes.full_size"]["status"] == "warn"
    assert found["pipes.full_size"]["values"]["full_size"] == 0


def test_a_port_that_takes_a_right(launcher: Launcher, config: str) -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first <= 80:
        pytest.skip("everybody may listen on port 80 here")
    status, found = examine(launcher, "--config", config)
    assert status == 1
    assert found["ports.bind:80"]["status"] == "fail"
    assert not found["ports.privileged"]["values"]["may_bind_below"]
