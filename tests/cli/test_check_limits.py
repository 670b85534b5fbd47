"""`check --limits`: what routes would get, without opening a port."""

import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from spliceproxy.cli.main import run
from spliceproxy.errors import ExitStatus


@pytest.fixture(autouse=True)
def files() -> Iterator[None]:
    """Lower the soft limit to 1024."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    yield
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1024, before[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def write(path: Path, listeners: int, more: str = "", heading: str = "raise_nofile: false") -> str:
    listen = ", ".join(["127.0.0.1:0"] * listeners)
    path.write_text(
        f"workers: 1\n{heading}\nroutes:\n- {{name: web, listen: [{listen}], "
        f"backends: b:80{more}}}\n"
    )
    return str(path)


def test_what_fits(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "routes.yaml", 300)
    assert run(["check", "--limits", file]) == ExitStatus.OK
    done, files, route = capfd.readouterr().out.splitlines()
    assert done == f"{file}: correct, 1 route"
    assert files.startswith("open files: 1024 for each process (soft limit 1024, hard ")
    assert files.endswith("raise_nofile off), 300 listeners")
    assert route == "route web: 274 connections in each worker"


def test_less_than_is_asked_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "routes.yaml", 1, ", max_connections: 9000")
    assert run(["check", "--limits", file]) == ExitStatus.OK
    route, remedy = capfd.readouterr().out.splitlines()[-2:]
    assert route.endswith("416 connections in each worker, where max_connections asks for 9000")
    assert remedy == "remedy: ulimit -Hn 20112, or LimitNOFILE=20112 of systemd"


def test_no_connection_at_all(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    heading = "raise_nofile: false\nadmin: unix:/nowhere"
    file = write(tmp_path / "routes.yaml", 1000, heading=heading)
    assert run(["check", "--limits", file]) == ExitStatus.UNFIT
    route, admin, remedy = capfd.readouterr().out.splitlines()[-3:]
    assert route == "route web: 0 connections in each worker"
    assert admin.startswith("admin: 0 of 96 clients")
    assert remedy.startswith("remedy: ulimit -Hn ")


def test_the_limit_that_would_be_raised(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    file = write(tmp_path / "routes.yaml", 1, heading="raise_nofile: true")
    assert run(["check", "--limits", file]) == ExitStatus.OK
    assert f"open files: {hard} for each process (soft limit 1024," in capfd.readouterr().out


def test_spools(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "r.yaml", 1, ", mirrors: 'tcp://h:1?overflow=spill&spool=1PiB'")
    assert run(["check", "--limits", file]) == ExitStatus.OK
    assert "warning: spool_directory_small: " in capfd.readouterr().out
    with monkeypatch.context() as patch:  # capfd needs a directory itself
        patch.setattr(tempfile, "tempdir", "/proc")
        assert run(["check", "--limits", file]) == ExitStatus.UNFIT
    assert "overflow=spill has no directory for its spool" in capfd.readouterr().out
