"""`spliceproxy replay`: what it refuses, in one line each, and what it prints."""

import json
import os
from pathlib import Path

import pytest

from spliceproxy.cli.main import run
from spliceproxy.cli.replay import parse_moment
from tests.capture.recorded import Recorded
from tests.replay.recordings import talk

TO = ("--to", "127.0.0.1:1")


def record(directory: Path) -> None:
    recorded = Recorded(directory)
    talk(recorded, 1, [b"hello", b"world"], 0, route="web", client="192.0.2.1:1")
    talk(recorded, 2, [b"hello"], 2000, route="api", client="192.0.2.2:1")
    recorded.open(3, 2500, is_continued=True)
    recorded.close(3, 2600)
    recorded.seal()


def test_a_dry_run_tells_what_would_be_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path)
    assert run(["replay", str(tmp_path), *TO, "--dry-run", "--copies", "2", "--speed", "4"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["connections"] == 4
    assert told["by_route"] == {"web": 2, "api": 2}
    assert told["skipped"] == {"mid_stream": 2}
    assert (told["request_bytes"], told["recorded_answer_bytes"]) == (30, 30)
    assert told["arrival_seconds"] == pytest.approx(2.5 / 4)
    assert run(["replay", str(tmp_path), *TO, "--dry-run", "--route", "web"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["connections"], told["filtered"]) == (1, 2)


def test_a_refused_connection_is_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path)
    path = tmp_path / "nobody.sock"
    assert run(["replay", str(tmp_path), "--to", f"unix:{path}", "--pace", "max"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["connections"]["failed"] == {"refused": 2}
    assert told["interrupted"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--to"),
        (("--to", "80"), "no host"),
        ((*TO, "--speed", "1000"), "--speed"),
        ((*TO, "--from", "yesterday"), "expected one such as 2026-11-24T07:00:01Z"),
        ((*TO, "--start-at", "2001-01-01"), "--start-at: the time is over"),
        ((*TO, "--sample", "10"), "10%"),
        ((*TO, "--client", "web"), "is not a network"),
        ((*TO, "--route", "other"), "no connection fits the filters"),
        ((*TO, "--record", "."), "record into another directory"),
        ((*TO, "--copies", "0"), "expected 1 to"),
        ((*TO, "--substitute", "token"), "--substitute: 'token' has 0 groups"),
    ],
)
def test_bad_usage_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    record(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["replay", str(tmp_path), *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert len(told.err.splitlines()) == 1


@pytest.mark.parametrize("kind", ["missing", "file", "other", "no_connection", "closed"])
def test_no_capture_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("capture")
    if kind == "file":
        path.write_bytes(b"x")
    elif kind != "missing":
        path.mkdir()
    if kind == "no_connection":
        Recorded(path).seal()
    if kind == "closed":
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        path.chmod(0)
    assert run(["replay", str(path), *TO]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("spliceproxy: ")
    assert "capture" in line.split(": ")[1]


def test_times_without_a_zone_are_utc() -> None:
    assert parse_moment("2026-11-24T07:00:01") == parse_moment("2026-11-24T08:00:01+01:00")
    assert parse_moment("2026-11-24") == parse_moment("2026-11-24T00:00:00Z")
