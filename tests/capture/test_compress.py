"""Compressing segments: what stays, what goes, and what a crash or a full disk leaves."""

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import spliceproxy.capture
from spliceproxy.capture.compress import (
    CompressedSegment,
    SegmentCompressor,
    StoppedEarlyError,
    alone_in,
)
from spliceproxy.capture.compressing import Compressing
from spliceproxy.formats.zstd import open_zstd
from spliceproxy.kernel.file_lock import is_locked_at
from tests.capture.compressing import compress_all
from tests.capture.growing import Growing
from tests.capture.recorded import Recorded
from tests.descriptors import open_descriptors


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A segment of one connection."""
    return make_segment(tmp_path)


def make_segment(directory: Path, writer: int = 1) -> Path:
    recorded = Recorded(directory, writer)
    recorded.open(1)
    recorded.data(1, b"hello " * 500_000)
    recorded.close(1)
    return recorded.seal()


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir() if entry.name[0] != ".")


def compress(root: int, is_stopped: Any = lambda: False) -> CompressedSegment | None:
    compressor = SegmentCompressor(root, open_zstd("a test"), is_stopped)
    [name] = compressor.waiting()
    return compressor.compress(name)


def is_readable(directory: Path) -> bool:
    capture = spliceproxy.capture.open(directory)
    [connection] = capture.connections()
    return capture.unreadable == [] and connection.request_bytes == 3_000_000


def test_a_compressed_segment_is_as_old_as_it_was_and_belongs_to_the_same(
    tmp_path: Path, root: int, path: Path
) -> None:
    path.chmod(0o640)
    os.utime(path, (1000, 2000))
    assert compress(root) is not None
    found = (tmp_path / (path.name + ".zst")).stat()
    assert (found.st_mtime, found.st_mode & 0o777) == (2000, 0o640)
    assert names(tmp_path) == [path.name + ".zst"]


def test_what_is_written_or_was_left_by_a_crash_stays(tmp_path: Path, root: int) -> None:
    with Growing(tmp_path) as growing:
        growing.open(1)
        growing.write()
        assert compress_all(tmp_path) == []
        growing.crash()
        assert compress_all(tmp_path) == []
        assert names(tmp_path) == [growing.path.name]


def test_one_that_is_removed_meanwhile_does_not_come_back(
    tmp_path: Path, root: int, path: Path
) -> None:
    def remove() -> bool:
        path.unlink(missing_ok=True)
        return False

    assert compress(root, remove) is None
    assert names(tmp_path) == []


def test_who_is_stopped_leaves_everything_as_it_was(tmp_path: Path, root: int, path: Path) -> None:
    answers = iter([False, False, True])
    descriptors = open_descriptors()
    with pytest.raises(StoppedEarlyError):
        compress(root, lambda: next(answers))
    assert names(tmp_path) == [path.name]
    assert open_descriptors() == descriptors


def test_a_full_disk_leaves_everything_as_it_was(
    tmp_path: Path, root: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(fd: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("spliceproxy.capture.compress.os.write", no_room)
        with pytest.raises(OSError, match="No space"):
            compress(root)
    assert names(tmp_path) == [path.name]
    assert is_readable(tmp_path)


def test_little_room_is_left_to_those_who_capture(
    tmp_path: Path, root: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = path.stat().st_size
    with monkeypatch.context() as patch:
        disk = SimpleNamespace(f_bavail=2 * size - 1, f_frsize=1)
        patch.setattr("spliceproxy.capture.compress.os.statvfs", lambda _: disk)
        with pytest.raises(OSError, match="No space"):
            compress(root)
        assert names(tmp_path) == [path.name]
        disk.f_bavail += 1
        assert compress(root) is not None


def test_what_a_crash_has_left_is_done_again(tmp_path: Path, root: int, path: Path) -> None:
    left = tmp_path / (path.name + ".zst.new")
    left.write_bytes(b"half")
    assert compress(root) is not None
    assert names(tmp_path) == [path.name + ".zst"]
    assert is_readable(tmp_path)


def test_after_a_crash_before_the_last_step_only_that_is_done(
    tmp_path: Path, root: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = path.read_bytes()
    compress(root)
    path.write_bytes(whole)
    before = (tmp_path / (path.name + ".zst")).stat()
    assert compress(root) is not None
    assert (tmp_path / (path.name + ".zst")).stat().st_ino == before.st_ino
    assert names(tmp_path) == [path.name + ".zst"]


@pytest.mark.parametrize("rest", [b"", b"something else"])
def test_a_segment_goes_only_for_one_that_is_whole(
    tmp_path: Path, root: int, path: Path, rest: bytes
) -> None:
    (tmp_path / (path.name + ".zst")).write_bytes(rest)
    assert compress(root) is not None
    assert is_readable(tmp_path)


def test_the_new_name_comes_when_all_is_on_the_disk_and_before_the_old_one_goes(
    tmp_path: Path, root: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("fsync", "rename", "unlink"):
        real = getattr(os, name)

        def call(*arguments: Any, real: Any = real, name: str = name, **more: Any) -> None:
            if name != "unlink" or arguments[0] == path.name:
                is_directory = name == "fsync" and arguments[0] == root
                steps.append("fsync of the directory" if is_directory else name)
            real(*arguments, **more)

        monkeypatch.setattr(os, name, call)
    compress(root)
    assert steps == ["fsync", "rename", "fsync of the directory", "unlink"]


def test_no_sweep_takes_what_is_being_written_for_left_behind(
    tmp_path: Path, root: int, path: Path
) -> None:
    seen: list[bool] = []

    def look() -> bool:
        seen.append(is_locked_at(str(tmp_path / (path.name + ".zst.new"))))
        return False

    compress(root, look)
    assert seen
    assert all(seen)


def test_one_at_a_time(tmp_path: Path, root: int, capfd: pytest.CaptureFixture[str]) -> None:
    with alone_in(root) as is_alone:
        assert is_alone
        other = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        with alone_in(other) as is_alone_too:
            assert not is_alone_too
        os.close(other)
    with alone_in(root) as is_alone:
        assert is_alone


class Told(list[tuple[str, dict[str, Any]]]):
    def __call__(self, event: str, said: dict[str, Any]) -> None:
        self.append((event, said))


def compressing(directory: Path, told: Told) -> Compressing:
    return Compressing(
        str(directory), trusted=True, zstd=open_zstd("it"), tell=told, is_stopped=lambda: False
    )


def test_a_directory_is_worked_off_and_the_sum_is_told(tmp_path: Path) -> None:
    for writer in (1, 2, 3):
        make_segment(tmp_path, writer)
    told = Told()
    work = compressing(tmp_path, told)
    assert [work.turn() for _ in range(4)] == [True, True, True, False]
    assert all(name.endswith(".zst") for name in names(tmp_path))
    [(event, said)] = told
    assert (event, said["segments"]) == ("segments_compressed", 3)
    assert said["bytes"] > 9_000_000 > said["compressed_bytes"] > 0


def test_a_segment_that_cannot_be_compressed_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_segment(tmp_path, 1), make_segment(tmp_path, 2)
    first.unlink()
    first.mkdir()
    told = Told()
    work = compressing(tmp_path, told)
    descriptors = open_descriptors()
    assert not work.turn()
    [(event, said)] = told
    assert (event, said["reason"]) == ("segment_not_compressed", "einval")
    assert not work.turn()  # later
    later_s = time.monotonic() + 31
    monkeypatch.setattr(time, "monotonic", lambda: later_s)
    assert work.turn()
    assert names(tmp_path) == [first.name, second.name + ".zst"]
    assert not work.turn()
    assert [event for event, _ in told] == ["segment_not_compressed", "segments_compressed"]
    assert open_descriptors() == descriptors


def test_a_directory_that_is_away_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    work = compressing(tmp_path / "none", told)
    now_s = time.monotonic()
    for _ in range(3):
        assert not work.turn()
        now_s += 31
        monkeypatch.setattr(time, "monotonic", lambda now_s=now_s: now_s)
    assert [(event, said["reason"]) for event, said in told] == [
        ("segment_not_compressed", "enoent")
    ]


def test_where_another_process_compresses_nothing_is_done(tmp_path: Path, path: Path) -> None:
    fd = os.open(tmp_path / ".spliceproxy-compress", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    told = Told()
    assert not compressing(tmp_path, told).turn()
    assert (names(tmp_path), told) == ([path.name], [])
    os.close(fd)
