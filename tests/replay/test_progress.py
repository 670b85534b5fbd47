"""The line on a terminal."""

import re
from pathlib import Path

import pytest
import trio

import spliceproxy.capture
from spliceproxy.capture.writer import CaptureWriter
from spliceproxy.replay import run as run_module
from spliceproxy.replay.progress import last_time_ns
from spliceproxy.replay.replay_options import ReplayOptions
from spliceproxy.replay.run import replay
from tests.replay.target import target_of

LINE = (
    r"[12] connections, [12] live, \d\.\d MiB, (-|[\d.]+)/s of (-|[\d.]+)/s, lag p99 [\d.]+ ms, "
    r"0 failed, \d+s left"
)


async def test_it_tells_what_is_done_and_what_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "_TICK_S", 0.05)
    writer = CaptureWriter(tmp_path)
    for _ in range(2):
        connection = writer.open_connection({"client": "192.0.2.1:1"})
        await trio.sleep(0.12)
        writer.data(connection, "request", b"x" * (1 << 20))
        writer.close_connection(connection, {})
    writer.close()
    capture = spliceproxy.capture.open(tmp_path)
    assert last_time_ns(capture) == max(event.time_ns for event in capture.events())
    async with target_of() as target:
        options = ReplayOptions(directory=tmp_path, target=target.address, think=5.0)
        await replay(options, shows_progress=True)
    told = capsys.readouterr().err
    lines = [line for line in told.split("\r\x1b[K") if line]
    assert lines
    assert all(re.fullmatch(LINE, line) for line in lines), lines
    assert told.endswith("\r\x1b[K")
    assert "\n" not in told


def test_what_is_not_sealed_has_no_known_end(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path)
    writer.close_connection(writer.open_connection({}), {})
    writer.flush()
    assert last_time_ns(spliceproxy.capture.open(tmp_path)) is None
    writer.close()
    assert last_time_ns(spliceproxy.capture.open(tmp_path)) is not None
