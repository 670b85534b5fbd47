"""Sweeps come by themselves, one at a time; without room nothing is taken."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.sinks import file_sweeper
from spliceproxy.sinks.file import FileSink
from spliceproxy.sinks.file_lease import NAME, Lease
from tests.proxy.relay import eventually
from tests.sinks.audit_files import DAY_S, AuditFiles
from tests.sinks.places import FilePlace
from tests.sinks.rig import Rig, rig


@pytest.fixture
def files(tmp_path: Path) -> AuditFiles:
    return AuditFiles(tmp_path)


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_sweeper, "INTERVAL_S", 0.05)
    monkeypatch.setattr(file_sweeper, "SOON_S", 0.02)


@pytest.mark.usefixtures("_often")
async def test_a_mirror_sweeps_by_itself(files: AuditFiles) -> None:
    files.connection(time.time() - 3 * DAY_S)
    with trio.fail_after(20), capture_logs() as log:
        async with rig(f"file:{files.directory}?max_age=2d"):
            await eventually(lambda: not files.left())
            files.connection(time.time() - 4 * DAY_S)
            await eventually(lambda: not files.left())
    told = [line for line in log if line["event"] == "audit_files_removed"]
    assert len(told) == len(log) == 2
    assert told[0]["mirror"] == f"file:{files.directory}"
    assert told[0]["files"] == 3
    assert told[0]["bytes"] > 0
    assert told[1]["oldest"] < told[0]["oldest"]


async def test_without_limits_there_is_no_trace(files: AuditFiles) -> None:
    files.connection(0.0)
    async with rig(f"file:{files.directory}") as mirrored:
        threads = threading.active_count()
        mirrored.offer(b"x")
        mirrored.end()
        await mirrored.over()
        assert threading.active_count() == threads
        assert mirrored.mirrors.mirrors[0].sink.is_busy is False
    names = [path.rpartition("/")[2] for path in files.paths()]
    assert NAME not in names
    assert sum(name.startswith("19700101") for name in names) == 3


def exceeded(mirrored: Rig) -> str:
    sink = mirrored.mirrors.mirrors[0].sink
    assert isinstance(sink, FileSink)
    return sink._directory.exceeded


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("overflow", ["block", "detach", "gap"])
async def test_without_room_the_policy_decides(files: AuditFiles, overflow: str) -> None:
    """A live connection has it all, and goes; then there is room again."""
    suffixes = ("-request.part",)
    files.connection(time.time() + 5, suffixes=suffixes, pid=os.getpid(), size_bytes=2 << 20)
    [live] = files.directory.glob("*/*.part")
    text = f"file:{files.directory}?max_total=1MiB&overflow={overflow}&direction=request"
    with trio.fail_after(20), capture_logs() as log:
        async with rig(text) as mirrored:
            await eventually(lambda: bool(exceeded(mirrored)))
            mirrored.offer(b"question")
            await eventually(lambda: bool(mirrored.branch.dropped_bytes))
            assert mirrored.branch.reason == "file_max_total"
            assert mirrored.owner.failures == (["file_max_total"] if overflow == "block" else [])
            live.unlink()
            await eventually(lambda: not exceeded(mirrored))
            if overflow == "gap":
                mirrored.offer(b"answer")
                mirrored.end()
                await mirrored.over()
                assert FilePlace(files.directory).stream() == bytes(8) + b"answer"
    events = [(line["event"], line.get("limit")) for line in log]
    told = [event for event in events if event[0].startswith("audit_")]
    assert told == [("audit_directory_full", "max_total"), ("audit_directory_has_room", None)]


@pytest.mark.usefixtures("_often")
async def test_a_stream_that_has_begun_gets_no_room_either(files: AuditFiles) -> None:
    text = f"file:{files.directory}?max_total=1MiB&overflow=block&direction=request"
    with trio.fail_after(20):
        async with rig(text) as mirrored:
            for _ in range(3):
                mirrored.offer(bytes(500_000))
            await eventually(lambda: bool(exceeded(mirrored)))
            mirrored.offer(b"more")
            await eventually(lambda: mirrored.owner.failures == ["file_max_total"])


@contextmanager
def lease(directory: Path, limits: str) -> Iterator[Lease]:
    fd = os.open(directory, os.O_RDONLY)
    held = Lease(fd, limits)
    os.close(fd)
    try:
        yield held
    finally:
        held.close()


def test_one_sweeps_at_a_time(tmp_path: Path) -> None:
    with lease(tmp_path, "a") as first, lease(tmp_path, "a") as second:
        assert first.take(10, is_new=True)
        assert not second.take(0, is_new=True)
        first.give_back("max_total")
    with lease(tmp_path, "a") as later:
        assert not later.take(10, is_new=True)  # there has been one
        assert later.last.exceeded == "max_total"
    with lease(tmp_path, "a") as later:
        assert later.take(0, is_new=False)


def test_newer_limits_go_before_older_ones(tmp_path: Path) -> None:
    with lease(tmp_path, "old") as old:
        assert old.take(10, is_new=True)
        old.give_back("")
    with lease(tmp_path, "new") as new:
        assert new.take(10, is_new=True)
        new.give_back("")
    with lease(tmp_path, "old") as old:
        assert not old.take(10, is_new=False)
    long_ago_s = time.time() - 41
    os.utime(tmp_path / NAME, (long_ago_s, long_ago_s))
    with lease(tmp_path, "old") as old:
        assert old.take(10, is_new=False)  # those with newer limits are gone


async def test_what_cannot_be_swept_is_told_once(
    files: AuditFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_sweeper, "INTERVAL_S", 0.02)
    (files.directory / NAME).symlink_to("/etc/passwd")
    with trio.fail_after(20), capture_logs() as log:
        async with rig(f"file:{files.directory}?keep_free=10%"):
            await eventually(lambda: bool(log))
            await trio.sleep(0.2)
    assert [(line["event"], line["reason"]) for line in log] == [
        ("audit_files_not_removed", "file_eloop")
    ]
