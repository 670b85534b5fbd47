"""rsync through the proxy, as a daemon and over ssh: trees arrive the same."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .servers import run, serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with many small files, some empty, and a large one."""
    root = tmp_path_factory.mktemp("tree")
    chance = random.Random(7)
    for number in range(300):
        directory = root / f"{number % 7}" / f"{number % 3}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / str(number)).write_bytes(chance.randbytes(chance.choice([0, 1, 999, 70_000])))
    (root / "large").write_bytes(chance.randbytes(40 << 20))
    return root


def is_equal(program: Callable[[str], str], one: Path, other: Path) -> bool:
    return run([program("diff"), "--recursive", str(one), str(other)]) == ""


@pytest.fixture
def daemon(program: Callable[[str], str], tree: Path, tmp_path: Path) -> Iterator[int]:
    """Run an rsync daemon with the modules `tree`, to read, and `inbox`, to write."""
    port, inbox = free_port(), tmp_path / "inbox"
    inbox.mkdir()
    as_root = "uid = root\ngid = root\n" if os.geteuid() == 0 else ""
    configuration = tmp_path / "rsyncd.conf"
    configuration.write_text(
        f"use chroot = no\n{as_root}[tree]\npath = {tree}\n"
        f"[inbox]\npath = {inbox}\nread only = no\n"
    )
    argv = [program("rsync"), "--daemon", "--no-detach", "--address", "127.0.0.1"]
    argv += ["--port", str(port), "--config", str(configuration)]
    with serving(argv, port, tmp_path / "log"):
        yield port


def test_daemon(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    daemon: int,
    tree: Path,
    tmp_path: Path,
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{daemon}")
    rsync, url = program("rsync"), f"rsync://127.0.0.1:{proxy.port}"
    run([rsync, "--archive", f"{url}/tree/", f"{tmp_path}/pulled/"])
    assert is_equal(program, tree, tmp_path / "pulled")
    run([rsync, "--archive", f"{tree}/", f"{url}/inbox/"])
    assert is_equal(program, tree, tmp_path / "inbox")


@contextmanager
def privilege_separation_directory() -> Iterator[None]:
    """Make the directory that sshd asks for when root starts it, which a package may not bring."""
    directory = Path("/run/sshd")
    if os.geteuid() != 0 or directory.exists():
        yield
        return
    directory.mkdir(mode=0o755)
    yield
    directory.rmdir()


@pytest.fixture
def sshd(program: Callable[[str], str], tmp_path: Path) -> Iterator[int]:
    """Run an sshd of our own, whose keys live in the test's directory."""
    for key in ("host", "user"):
        run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", f"{tmp_path}/{key}"])
    port = free_port()
    configuration = tmp_path / "sshd_config"
    configuration.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {tmp_path}/host\nPidFile none\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\nUsePAM no\n"
        "PermitRootLogin yes\nPasswordAuthentication no\n"
    )
    argv = [program("sshd"), "-D", "-e", "-f", str(configuration)]
    with privilege_separation_directory(), serving(argv, port, tmp_path / "log"):
        yield port


def test_over_ssh(
    start_proxy: StartProxy, program: Callable[[str], str], sshd: int, tree: Path, tmp_path: Path
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{sshd}")
    ssh = [program("ssh"), "-p", str(proxy.port), "-i", f"{tmp_path}/user", "-F", "none"]
    for option in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes"):
        ssh += ["-o", option]
    shell = " ".join([*ssh, "-o", "LogLevel=ERROR"])
    rsync = [program("rsync"), "--archive", "--rsh", shell]
    run([*rsync, f"127.0.0.1:{tree}/", f"{tmp_path}/pulled/"])
    assert is_equal(program, tree, tmp_path / "pulled")
    run([*rsync, f"{tree}/", f"127.0.0.1:{tmp_path}/pushed/"])
    assert is_equal(program, tree, tmp_path / "pushed")
