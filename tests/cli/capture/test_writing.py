"""`spliceproxy capture pcapng` and `prune`: what is written, and what goes."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import spliceproxy.capture
from spliceproxy.formats import pcapng as packets
from tests.capture.growing import Growing
from tests.cli.capture.conftest import FIRST, SECOND, THIRD, Run

COMMAND = str(Path(sys.executable).with_name("spliceproxy"))


def tshark(path: Path, field: str) -> list[str]:
    done = subprocess.run(
        ["tshark", "-n", "-r", path, "-T", "fields", "-e", field],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_packets_of_what_is_chosen(
    directory: Path, tmp_path: Path, capture: Run, program: Callable[[str], str]
) -> None:
    program("tshark")
    path = tmp_path / "out.pcapng"

    def streams(*options: str) -> set[str]:
        assert capture("pcapng", directory, "-o", path, *options) == (0, "", "")
        comments = filter(None, tshark(path, "frame.comment"))
        return {comment.split(",")[0].split()[-1] for comment in comments if "route" in comment}

    assert streams() == {FIRST, SECOND, THIRD}
    assert path.stat().st_mode & 0o777 == 0o600
    assert streams("--route", "web") == {FIRST}
    assert streams("--connection", SECOND) == {SECOND}
    assert streams("--connection", THIRD, "--connection", FIRST) == {FIRST, THIRD}
    assert streams("--connection", THIRD, "--route", "web") == set()
    # It began before that: its first packet is introduced, and has no handshake.
    assert streams("--from", "2026-09-21T14:13:23Z") == {THIRD}
    assert tshark(path, "tcp.len") == ["40", "0"]
    assert streams("--until", "2026-09-21T14:13:20.0085Z") == {FIRST, SECOND}
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_a_file_appears_whole_or_not_at_all(
    directory: Path, tmp_path: Path, capture: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = tmp_path / "out.pcapng", tmp_path / "link"
    path.write_bytes(b"before")
    link.symlink_to(path)

    def fail(_: str) -> bytes:
        assert path.read_bytes() == b"before"
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("spliceproxy.capture.packets.encode_section", fail)
        status, _, err = capture("pcapng", directory, "-o", link)
    assert (status, len(err.splitlines())) == (2, 1)
    assert "No space left on device" in err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["capture", "link", "out.pcapng"]
    assert path.read_bytes() == b"before"
    assert capture("pcapng", directory, "-o", link)[0] == 0
    assert link.is_symlink()
    assert path.read_bytes().startswith(packets.encode_section("")[:4])


def test_what_is_no_file_stays_what_it_is(directory: Path, tmp_path: Path, capture: Run) -> None:
    path = tmp_path / "null"
    path.symlink_to("/dev/null")
    assert capture("pcapng", directory, "-o", path) == (0, "", "")
    assert path.is_char_device()


@pytest.mark.parametrize(
    "arguments", [f"show DIR {FIRST} --raw request", "pcapng DIR -o -", "follow DIR --pcapng"]
)
def test_no_bytes_go_to_a_terminal(directory: Path, arguments: str) -> None:
    master, terminal = pty.openpty()
    done = subprocess.run(
        [COMMAND, "capture", *arguments.replace("DIR", str(directory)).split()],
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
        timeout=50,
        check=False,
    )
    os.close(terminal)
    os.close(master)
    assert done.returncode == 2
    assert "the output is a terminal" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_whoever_has_read_enough_ends_it(directory: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    for arguments in (["connections"], ["show", FIRST], ["pcapng", "-o", "-"], ["follow"]):
        command, *options = arguments
        done = subprocess.run(
            [COMMAND, "capture", command, directory, *options],
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=50,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b""), command
    os.close(write)


def test_what_is_too_old_or_too_much_goes(directory: Path, capture: Run) -> None:
    first, second = sorted(directory.iterdir())
    os.utime(first, (0, 0))
    status, out, err = capture("prune", directory, "--max-age", "300d", "--dry-run")
    assert (status, err) == (0, "")
    assert out.splitlines()[0].split()[0] == first.name
    assert out.splitlines()[1].startswith("1 segments would go, ")
    assert first.exists()
    status, out, err = capture("prune", directory, "--max-age", "300d")
    assert (status, out.splitlines()[1].split(",")[0]) == (0, "1 segments removed")
    assert (first.exists(), second.exists()) == (False, True)
    with Growing(directory, writer=2) as growing:
        status, out, err = capture("prune", directory, "--max-total", "1")
        assert (status, err) == (
            1,
            "incomplete: max_total is exceeded still: the rest is being written\n",
        )
        assert list(directory.iterdir()) == [growing.path]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_nothing_half_written(
    directory: Path,
    tmp_path: Path,
    capture: Run,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "out.pcapng"
    path.write_bytes(b"before")
    before = signal.getsignal(number)

    def pieces(*_: object) -> Iterator[bytes]:
        yield b"first"
        assert len(list(tmp_path.glob(".out*"))) == 1
        os.kill(os.getpid(), number)
        yield b"second"

    monkeypatch.setattr(spliceproxy.capture, "to_pcapng", pieces)
    told = capture("pcapng", directory, "-o", path)
    assert told == (1, "", "incomplete: a signal has ended it before the end\n")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["capture", "out.pcapng"]
    assert path.read_bytes() == b"before"
    assert signal.getsignal(number) == before


def test_compressing_is_told_and_a_signal_takes_back_what_is_half_done(
    directory: Path, capture: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted(path.name for path in directory.iterdir())
    real = os.fsync

    def fsync(fd: int) -> None:
        if (directory / f"{second}.zst.new").exists():
            os.kill(os.getpid(), signal.SIGTERM)
        real(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        status, out, err = capture("compress", directory)
    assert (status, err) == (1, "incomplete: a signal has ended it before the end\n")
    assert [line.split()[0] for line in out.splitlines()] == [first]
    names = {path.name for path in directory.iterdir() if path.name[0] != "."}
    assert names == {f"{first}.zst", second}
    status, out, err = capture("compress", directory)
    assert (status, err, out.splitlines()[-1].split(",")[0]) == (0, "", "1 segments compressed")
    assert capture("connections", directory)[0] == 0


def test_compressing_where_there_is_nothing_or_another_one_is_at_it(
    directory: Path, tmp_path: Path, capture: Run
) -> None:
    status, out, err = capture("compress", tmp_path / "none")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "No such file or directory" in err
    lock = directory / ".spliceproxy-compress"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        status, out, err = capture("compress", directory)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "another process compresses there" in err


def test_secrets_that_are_none(directory: Path, tmp_path: Path, capture: Run) -> None:
    keys, out = tmp_path / "keys", tmp_path / "out"
    keys.write_bytes(b"# nothing\n")
    for path, what in ((keys, "holds no secrets"), (tmp_path / "gone", "No such file")):
        status, _, err = capture("pcapng", directory, "-o", out, "--tls-secrets", path)
        assert (status, len(err.splitlines())) == (2, 1)
        assert what in err
    assert not out.exists()
    keys.write_bytes(b"CLIENT_RANDOM " + b"00" * 32 + b" " + b"11" * 48 + b"\n")
    assert capture("pcapng", directory, "-o", out, "--tls-secrets", keys) == (0, "", "")
    assert b"CLIENT_RANDOM" not in out.read_bytes()
