"""What cannot be read or reached, by every command: a line with place and remedy, no half file."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest

import spliceproxy.capture.reader
from spliceproxy.cli.main import run
from spliceproxy.formats.capture.names import SegmentName
from tests.capture.growing import Growing
from tests.capture.recorded import Recorded
from tests.ports import free_port
from tests.replay.recordings import talk

ID = "0000000000000001-1"
READING = {
    "ls": "capture ls BAD",
    "connections": "capture connections BAD",
    "show": f"capture show BAD {ID}",
    "pcapng": "capture pcapng BAD -o OUT/packets",
}
MAKING = {
    "dry run": "replay BAD --to 127.0.0.1:PORT --dry-run",
    "replay": "replay BAD --to 127.0.0.1:PORT --record OUT/record --report OUT/report"
    " --checkpoint OUT/checkpoint",
    "compare": "compare BAD --answers GOOD --html OUT/page --report OUT/report",
    "answers": "compare GOOD --answers BAD --html OUT/page --report OUT/report",
    "new": "compare BAD --new 127.0.0.1:PORT --html OUT/page --report OUT/report",
}
FOLLOW = {"follow": "capture follow BAD", "prune": "capture prune BAD --max-age 300d"}
COMMAND = str(Path(sys.executable).with_name("spliceproxy"))
WITHOUT_RIGHTS = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
"""What makes root a user like others (setpriv(1))."""


def record(directory: Path, connections: int = 2, replay_of: int | None = None) -> Path:
    directory.mkdir()
    recorded = Recorded(directory, writer=1 if replay_of is None else 2)
    for number in range(1, connections + 1):
        facts = {} if replay_of is None else {"replay_of": f"{replay_of:016x}-{number}"}
        talk(recorded, number, [b"hello\n"], number, 1, **facts)
    return recorded.seal()


def words(command: str, tmp_path: Path) -> list[str]:
    (tmp_path / "out").mkdir()
    record(tmp_path / "good", replay_of=None if "--answers BAD" in command else 1)
    names = {"BAD": tmp_path / "bad", "GOOD": tmp_path / "good", "OUT": tmp_path / "out"}
    for name, path in names.items():
        command = command.replace(name, str(path))
    return command.replace("PORT", str(free_port())).split()


def left(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "out").iterdir()]


@pytest.mark.parametrize("command", [*READING, *MAKING, *FOLLOW])
@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_no_capture(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str, kind: str
) -> None:
    if kind == "file":
        (tmp_path / "bad").write_bytes(b"x")
    elif kind == "empty":
        (tmp_path / "bad").mkdir()
        if command in FOLLOW:
            pytest.skip("segments may come, and none has to go")
    status = run(words((READING | MAKING | FOLLOW)[command], tmp_path))
    out, err = capfd.readouterr()
    assert (status, out, left(tmp_path)) == (2, "", [])
    [line] = err.splitlines()
    assert "expected a directory" in line


def other_version(data: bytearray) -> None:
    data[8] = 9
    data[60:64] = crc32(data[:60]).to_bytes(4, "little")


def no_capture(data: bytearray) -> None:
    data[:8] = b"SQLite f"


def cut_off(data: bytearray) -> None:
    del data[30:]


@pytest.mark.parametrize("command", [*READING, *MAKING])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (other_version, "a capture of version 9: this program reads version 1; expected"),
        (no_capture, "not a capture: it does not begin as one; expected a segment"),
        (cut_off, "cut off in its first bytes; remove it"),
    ],
)
def test_nothing_that_can_be_read(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    command: str,
    spoil: Callable[[bytearray], None],
    said: str,
) -> None:
    path = record(tmp_path / "bad")
    data = bytearray(path.read_bytes())
    spoil(data)
    path.write_bytes(data)
    status = run(words((READING | MAKING)[command], tmp_path))
    err = capfd.readouterr().err.splitlines()
    assert status == (1 if command in ("ls", "connections") else 2)
    assert left(tmp_path) == []
    assert str(path) in err[0]
    assert said in err[0]
    assert len(err) == 1 + (command == "show")


@pytest.mark.parametrize("command", [*READING, *MAKING, "follow"])
@pytest.mark.parametrize("kind", ["directory", "segment"])
def test_no_permission(tmp_path: Path, command: str, kind: str) -> None:
    path = record(tmp_path / "bad")
    if command == "follow" and kind == "segment":
        pytest.skip("what is over is passed over")
    typed = words((READING | MAKING | FOLLOW)[command], tmp_path)
    closed = tmp_path / "bad" if kind == "directory" else path
    closed.chmod(0)
    before = WITHOUT_RIGHTS if os.geteuid() == 0 else []
    done = subprocess.run(
        [*before, COMMAND, *typed], capture_output=True, text=True, timeout=50, check=False
    )
    closed.chmod(0o700)
    assert done.returncode == (1 if kind == "segment" and command in ("ls", "connections") else 2)
    assert left(tmp_path) == []
    line, *others = done.stderr.splitlines()
    assert "Permission denied; captures are for their owner alone: read it as that user" in line
    assert len(others) == (command == "show" and kind == "segment")


def test_whoever_follows_hears_what_cannot_be_followed(tmp_path: Path) -> None:
    with Growing(tmp_path) as growing:
        growing.path.chmod(0)
        before = WITHOUT_RIGHTS if os.geteuid() == 0 else []
        with subprocess.Popen(
            [*before, COMMAND, "capture", "follow", tmp_path], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            process.terminate()
            assert process.wait(50) == 1
    assert line.startswith(f"incomplete: {growing.path}: Permission denied; captures are for")


@pytest.mark.parametrize("command", [*READING, *MAKING])
def test_a_segment_that_vanishes(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """It is listed, and gone when it is opened; what else is there is read."""
    record(tmp_path / "bad", replay_of=1 if command == "answers" else None)
    typed = words((READING | MAKING)[command], tmp_path)
    listing = spliceproxy.capture.reader.list_segments

    def list_more(path: Path) -> list[SegmentName]:
        found = listing(path)
        return [*found, SegmentName("gone", found[0].stamp, 1, 99, is_open=False)]

    monkeypatch.setattr(spliceproxy.capture.reader, "list_segments", list_more)
    status = run(typed)
    told = capfd.readouterr()
    gone = [line for line in told.err.splitlines() if "it has been removed meanwhile" in line]
    if command == "show":  # it knows that it has all
        assert (status, gone) == (0, [])
        return
    assert status == (3 if command == "new" else 1)
    assert [line for line in gone if str(tmp_path / "bad" / "gone") in line] or command in (
        *("answers", "new"),
    )
    if command == "dry run":
        assert json.loads(told.out)["connections"] == 2


@pytest.mark.parametrize(
    ("connections", "options", "said"),
    [
        (25, [], "the first 20 connections to 127.0.0.1:PORT failed (refused)"),
        (25, ["--keep-going"], ""),
        (2, [], "no connection to 127.0.0.1:PORT was made (refused); see that"),
    ],
)
def test_a_target_that_refuses(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    connections: int,
    options: list[str],
    said: str,
) -> None:
    record(tmp_path / "bad", connections)
    port = free_port()
    typed = ["replay", str(tmp_path / "bad"), "--to", f"127.0.0.1:{port}", "--pace", "max"]
    assert run([*typed, *options, "--max-connections", "1"]) == 1
    told = capfd.readouterr()
    assert len(told.err.splitlines()) == bool(said)
    assert said.replace("PORT", str(port)) in told.err
    failed = json.loads(told.out)["connections"]["failed"]["refused"]
    assert failed == (20 if "first 20" in said else connections)


@pytest.mark.parametrize("connections", [2, 25])
def test_a_new_version_that_refuses(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], connections: int
) -> None:
    record(tmp_path / "bad", connections)
    assert run([*words(MAKING["new"], tmp_path), "--keep", str(tmp_path / "out")]) == 3
    told = capfd.readouterr()
    [line] = told.err.splitlines()
    assert "nothing was compared; no connection to 127.0.0.1:" in line
    assert (told.out, left(tmp_path)) == ("", [])


def test_a_page_appears_whole_or_not_at_all(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[str]:
        raise OSError(28, "No space left on device")

    record(tmp_path / "bad")
    typed = words(MAKING["compare"], tmp_path)
    (tmp_path / "out" / "page").write_text("before")
    with monkeypatch.context() as patched:
        patched.setattr("spliceproxy.compare.html_page.make_page", fail)
        assert run(typed) == 2
    [line] = capfd.readouterr().err.splitlines()
    assert "--html" in line
    assert "No space left on device" in line
    assert (tmp_path / "out" / "page").read_text() == "before"
    assert run(typed) == 0
    assert sorted(left(tmp_path)) == ["page", "report"]
    assert (tmp_path / "out" / "page").read_text().startswith("<!")
