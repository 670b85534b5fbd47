"""Which segments of a capture go, and which stay."""

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.formats.capture.layout import SegmentHeader
from spliceproxy.formats.capture.names import name_segment
from spliceproxy.kernel.file_lock import is_locked_at
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.mirror_kinds.retention import KeepFree, Retention
from spliceproxy.sinks import file_sweeper
from spliceproxy.sinks.capture import CaptureSink
from spliceproxy.sinks.capture_sweep import SegmentSweep
from spliceproxy.sinks.file_retention import Swept
from tests.proxy.relay import eventually
from tests.sinks.places import captured
from tests.sinks.rig import rig

SIZE = 64 << 10


def make_segment(directory: Path, age_s: float, *, is_open: bool = False, number: int = 1) -> Path:
    began_s = time.time() - age_s
    name = name_segment(SegmentHeader(7, number, int(began_s * 1e9), 0))
    path = directory / (name + ".open" * is_open)
    path.write_bytes(os.urandom(SIZE))
    os.utime(path, (began_s, began_s))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def sweep(root: int, limits: Retention) -> Swept:
    return SegmentSweep(root, limits, lambda: False).run()


def test_what_is_too_old_goes(tmp_path: Path, root: int) -> None:
    old, young = make_segment(tmp_path, 7200), make_segment(tmp_path, 60)
    swept = sweep(root, Retention(max_age_s=3600.0))
    assert (old.exists(), young.exists()) == (False, True)
    assert (swept.files, swept.exceeded) == (1, "")
    assert swept.size_bytes >= SIZE
    assert swept.oldest == old.name.partition("-")[0]


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path, root: int) -> None:
    segments = [make_segment(tmp_path, age_s) for age_s in (40, 30, 20, 10)]
    other = tmp_path / "notes.txt"
    other.write_bytes(bytes(10 * SIZE))
    swept = sweep(root, Retention(max_total_bytes=2 * SIZE + 4096))
    assert [path.exists() for path in segments] == [False, False, True, True]
    assert other.exists()
    assert (swept.files, swept.exceeded) == (2, "")


def test_one_that_is_being_written_stays_and_one_that_a_crash_has_left_goes(
    tmp_path: Path, root: int
) -> None:
    written = make_segment(tmp_path, 40, is_open=True)
    left = make_segment(tmp_path, 30, is_open=True)
    with written.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_locked_at(str(written))
        swept = sweep(root, Retention(max_total_bytes=1))
        assert (written.exists(), left.exists()) == (True, False)
        assert swept.exceeded == "max_total"
    assert not is_locked_at(str(written))


def test_a_link_is_not_followed(tmp_path: Path, root: int) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"data")
    link = tmp_path / name_segment(SegmentHeader(7, 1, 0, 0))
    link.symlink_to(target)
    sweep(root, Retention(max_age_s=1.0))
    assert target.read_bytes() == b"data"


def test_nothing_is_removed_where_enough_is_free(tmp_path: Path, root: int) -> None:
    segment = make_segment(tmp_path, 40)
    assert sweep(root, Retention(keep_free=KeepFree(1))).files == 0
    assert segment.exists()
    swept = sweep(root, Retention(keep_free=KeepFree(1 << 60)))
    assert not segment.exists()
    assert swept.exceeded == "keep_free"


def test_on_trial_all_stays_and_counts_as_gone(
    tmp_path: Path, root: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = [make_segment(tmp_path, age_s) for age_s in (7200, 60, 30)]
    size = segments[0].stat().st_blocks * 512
    full = SimpleNamespace(f_blocks=1000, f_frsize=size, f_bavail=0)
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    told: list[tuple[str, int]] = []
    limits = Retention(max_age_s=3600.0, keep_free=KeepFree(2 * size))
    sweep = SegmentSweep(
        root, limits, lambda: False, lambda name, size: told.append((name, size)), is_trial=True
    )
    assert sweep.run().files == 2
    assert told == [(path.name, size) for path in segments[:2]]
    assert all(path.exists() for path in segments)


async def test_a_mirror_sweeps_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_sweeper, "INTERVAL_S", 0.05)
    old = make_segment(tmp_path, 7200)
    with trio.fail_after(20), capture_logs() as log:
        async with rig(f"capture:{tmp_path}?max_age=1h") as mirrored:
            mirrored.offer(b"x")
            await eventually(lambda: not old.exists())
            mirrored.end()
            await mirrored.over()
    assert [line["event"] for line in log] == ["audit_files_removed"]
    assert len(captured(tmp_path)) > 1


async def test_without_room_nothing_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_sweeper, "INTERVAL_S", 0.05)
    with trio.fail_after(20), capture_logs() as log:
        async with rig(f"capture:{tmp_path}?keep_free=99.99%") as mirrored:
            await eventually(lambda: bool(log))
            mirrored.offer(b"x")
            await eventually(lambda: mirrored.branch.over)
            assert mirrored.branch.reason == "file_keep_free"
    assert log[0]["event"] == "audit_directory_full"


@pytest.mark.parametrize("suffix", [".new", ".zst.new"])
def test_what_a_crash_has_left_unfinished_goes(
    tmp_path: Path, root: int, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = make_segment(tmp_path, 10)
    left = segment.with_name(segment.name + suffix)
    other = tmp_path / f"notes{suffix}"
    for path in (left, other):
        path.write_bytes(b"half")
    limits = Retention(max_age_s=3600.0)
    sweep(root, limits)
    assert left.exists()  # somebody may be about to lock it
    later_s = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later_s)
    with left.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        sweep(root, limits)
        assert left.exists()
    SegmentSweep(root, limits, lambda: False, is_trial=True).run()
    assert left.exists()
    sweep(root, limits)
    assert (left.exists(), other.exists(), segment.exists()) == (False, True, True)


def test_a_start_removes_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = make_segment(tmp_path, 10)
    left = segment.with_name(segment.name + ".new")
    left.write_bytes(b"half")
    later_s = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later_s)
    CaptureSink.report_left_behind(parse_mirror(f"capture:{tmp_path}"))
    assert (left.exists(), segment.exists()) == (False, True)


def test_compressed_segments_go_as_others_do(tmp_path: Path, root: int) -> None:
    segments = [make_segment(tmp_path, age_s, number=number) for number, age_s in enumerate((9, 5))]
    for path in segments:
        path.rename(path.with_name(path.name + ".zst"))
    swept = sweep(root, Retention(max_total_bytes=SIZE + 4096))
    assert (swept.files, [path.name for path in tmp_path.iterdir()]) == (
        1,
        [segments[1].name + ".zst"],
    )
