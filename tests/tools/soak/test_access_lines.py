"""A line of the access log that does not add up is found."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.soak.access_lines import faults, read

MIRROR = {
    "to": "tcp://127.0.0.1:9",
    "direction": "request",
    "offered_bytes": 10,
    "delivered_bytes": 10,
    "dropped_bytes": 0,
    "queued_bytes": 0,
    "state": "complete",
    "reason": "",
}
LINE = {
    "event": "connection",
    "client": "127.16.0.1:5",
    "backend": "127.0.0.1:80",
    "request_bytes": 10,
    "response_bytes": 20,
    "undelivered_bytes": 0,
    "spliced_bytes": 18,
    "copied_bytes": 12,
    "reason": "closed",
    "mirrors": [MIRROR],
}


def with_mirror(**changed: Any) -> dict[str, Any]:
    return {**LINE, "mirrors": [{**MIRROR, **changed}]}


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        {**LINE, "mirrors": None},
        {**LINE, "reason": "backend_reset", "undelivered_bytes": 5},
        with_mirror(
            delivered_bytes=4, dropped_bytes=6, state="incomplete", reason="mirror_refused"
        ),
        with_mirror(offered_bytes=3, delivered_bytes=3, offset=7),
        {**with_mirror(to="file:/a"), "request_bytes": 10},
    ],
)
def test_a_line_that_adds_up(line: dict[str, Any]) -> None:
    assert list(faults(line)) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({**LINE, "spliced_bytes": 17}, "spliced and copied"),
        ({**LINE, "undelivered_bytes": 1}, "undelivered"),
        (with_mirror(offered_bytes=11), "offered"),
        (with_mirror(delivered_bytes=9, queued_bytes=1), "queued"),
        (with_mirror(delivered_bytes=9, dropped_bytes=1), "complete mirror with bytes dropped"),
        (with_mirror(state="incomplete"), "without a reason"),
        (with_mirror(offered_bytes=9, delivered_bytes=9), "not all that was delivered"),
    ],
)
def test_a_line_that_does_not(line: dict[str, Any], why: str) -> None:
    assert any(why in fault for fault in faults(line))


def test_a_connection_has_one_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    other = {**LINE, "client": "127.16.0.2:5"}
    log.write_text("".join(json.dumps(line) + "\n" for line in (LINE, other, LINE)))
    lines = read(log)
    assert lines.count == 3
    assert set(lines.by_host) == {"127.16.0.1", "127.16.0.2"}
    assert dict(lines.faults) == {"a second line of one connection": 1}


def test_lines_that_were_dropped_are_a_fault(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(json.dumps({"event": "log_lines_dropped", "count": 3}) + "\n")
    assert dict(read(log).faults) == {"a line log_lines_dropped": 1}
