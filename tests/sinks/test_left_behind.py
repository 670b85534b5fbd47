"""Files that a crash has left unfinished are told of at the next start, and kept."""

from pathlib import Path

from structlog.testing import capture_logs

from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.sinks.checks import report_left_behind


def test_they_are_told_of_and_kept(tmp_path: Path) -> None:
    (tmp_path / "2026-11-24").mkdir()
    left = [f"2026-11-24/{number:02}-request.part" for number in range(12)]
    for name in [*left, "2026-11-24/other-request", "other.json"]:
        (tmp_path / name).write_bytes(b"x")
    with capture_logs() as log:
        report_left_behind([parse_mirror(f"file:{tmp_path}"), parse_mirror("null:")])
    [event] = log
    assert (event["event"], event["log_level"]) == ("unfinished_files", "warning")
    assert event["mirror"] == f"file:{tmp_path}"
    assert event["count"] == 12
    assert event["files"] == left[:10]
    assert len(list(tmp_path.rglob("*"))) == 15


def test_nothing_is_told_where_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "whole-request").touch()
    with capture_logs() as log:
        report_left_behind([parse_mirror(f"file:{tmp_path}"), parse_mirror(f"file:{tmp_path}/no")])
    assert log == []
