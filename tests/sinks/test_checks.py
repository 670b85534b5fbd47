"""Mirrors that could never work are found before there is traffic."""

import os
import stat
import tempfile
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from spliceproxy.errors import UsageProblem
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.sinks import spool_directory
from spliceproxy.sinks.checks import check_mirrors
from tests.descriptors import open_descriptors


def check(*texts: str) -> None:
    check_mirrors(map(parse_mirror, texts))


def test_a_missing_directory_is_created_for_the_owner_alone(tmp_path: Path) -> None:
    check(f"file:{tmp_path}/audit")
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o700
    assert list((tmp_path / "audit").iterdir()) == []


def test_a_directory_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "earlier.part").touch()
    check(f"file:{tmp_path}")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["earlier.part"]


def test_a_relative_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check("file:audit", "file:.")
    assert (tmp_path / "audit").is_dir()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("missing/audit", "No such file or directory"),
        ("file", "is not a directory"),
        ("file/audit", "Not a directory"),
        ("dangling", "is not a directory"),
        ("n" * 300, "File name too long"),
    ],
)
def test_a_directory_that_cannot_be(tmp_path: Path, place: str, said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(UsageProblem, match=said):
        check(f"file:{tmp_path}/{place}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file"]


@pytest.mark.parametrize(
    ("mode", "remedy"),
    [(0o770, "chmod go-w it"), (0o707, "chmod go-w it"), (0o1777, "take a directory in it")],
)
def test_a_directory_that_others_may_write_into(tmp_path: Path, mode: int, remedy: str) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(UsageProblem, match=f"others may write into .*; {remedy}, or set trust"):
        check(f"file:{tmp_path}")
    with capture_logs() as log:
        check(f"file:{tmp_path}?trust_directory=yes")
    assert [line["event"] for line in log] == ["directory_not_trusted"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories away")
def test_a_new_directory_in_one_of_somebody_else(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 0)
    with pytest.raises(UsageProblem, match=f"{tmp_path} belongs to user 12345"):
        check(f"file:{tmp_path}/audit")
    assert list(tmp_path.iterdir()) == []
    check(f"file:{tmp_path}/audit?trust_directory=yes")
    assert (tmp_path / "audit").is_dir()


def test_a_link_to_a_directory(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "link").symlink_to("audit")
    with pytest.raises(UsageProblem, match="not a directory but a symbolic link"):
        check(f"file:{tmp_path}/link")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("place", ["", "/audit"])
def test_a_directory_without_permission(tmp_path: Path, place: str) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageProblem, match="Permission denied"):
        check(f"file:{tmp_path}{place}")


@pytest.mark.parametrize("place", ["/proc", "/proc/audit"])
def test_a_file_system_that_takes_no_files(place: str) -> None:
    with pytest.raises(UsageProblem, match=rf"file:{place}'.*cannot create files there"):
        check(f"file:{place}")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "a script"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    return path


def test_a_program_is_found_by_path_and_by_name(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(f"exec:'{script}' argument")
    monkeypatch.setenv("PATH", str(script.parent))
    check("exec:'a script' argument")


def test_a_shell_finds_its_programs_by_itself() -> None:
    check("exec:no-such-program | nor-this?shell=yes")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program -q", "'no-such-program' is not in PATH"),
        ("'{}'", "is not executable; allow it with chmod"),
        ("'{}/child'", "is not a file that exists"),
        ("/no/such/program", "is not a file that exists"),
        ("/", "is not a file that exists"),
    ],
)
def test_a_program_that_cannot_be(script: Path, command: str, said: str) -> None:
    script.chmod(0o600)
    with pytest.raises(UsageProblem, match=said) as caught:
        check("exec:" + command.format(script))
    assert str(caught.value).isprintable()


def test_peers_need_not_be_there_yet() -> None:
    check("tcp://127.0.0.1:1", "unix:/no/such/socket", "null:")


def test_every_mirror_is_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="no-such-program"):
        check("null:", f"file:{tmp_path}", "exec:no-such-program")


SPILLING = "tcp://127.0.0.1:9?overflow=spill"


def test_a_spool_that_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = open_descriptors()
    with capture_logs() as logs:
        check(f"{SPILLING}&spool=1MiB", "null:")
    assert (logs, list(tmp_path.iterdir()), open_descriptors()) == ([], [], before)


def test_a_spool_without_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")  # root cannot write there either
    check("tcp://127.0.0.1:9")
    with pytest.raises(UsageProblem, match=r"no directory for its spool .*; set TMPDIR"):
        check("null:", SPILLING)


def test_a_spool_on_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_directory, "open_unlinked", lambda: os.open("/dev/full", os.O_RDWR))
    before = open_descriptors()
    with pytest.raises(UsageProblem, match="No space left on device"):
        check(SPILLING)
    assert open_descriptors() == before


def test_a_spool_that_is_larger_than_its_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", "/nowhere")
    with capture_logs() as logs:
        check(f"{SPILLING}&spool=1PiB", SPILLING)
    ignored, small = logs
    assert (ignored["event"], ignored["tmpdir"]) == ("tmpdir_not_used", "/nowhere")
    assert (small["event"], small["spool_bytes"]) == ("spool_directory_small", 1 << 50)
    assert ignored["spool_directory"] == small["spool_directory"] == str(tmp_path)
