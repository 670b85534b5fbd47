"""What a segment's index says of connections, and when a segment gets its name."""

import fcntl
from pathlib import Path

import pytest

from spliceproxy.formats.capture.index import IndexEntry, decode_entries
from spliceproxy.kernel.file_lock import is_locked_at
from spliceproxy.sinks.capture_batch import Batch
from spliceproxy.sinks.capture_index import CapturedConnection, SegmentIndex
from spliceproxy.sinks.capture_segment import SegmentFile
from spliceproxy.sinks.file_directory import FileDirectory
from tests.mirroring.test_full_disk import DISK_BYTES, small_disk

__all__ = ["small_disk"]


def batch_of(connection: CapturedConnection, *, is_closed: bool = False) -> Batch:
    batch = Batch()
    batch.connections[connection] = None
    if is_closed:
        batch.closed.append(connection)
    return batch


def entries(index: SegmentIndex) -> list[IndexEntry]:
    return list(decode_entries(index.encode()))


def test_a_connection_that_ends_while_a_block_is_written_is_listed_once() -> None:
    connection, index = CapturedConnection(1, dict), SegmentIndex()
    connection.introduced(0, index, 10)
    earlier = batch_of(connection)
    last = batch_of(connection, is_closed=True)  # before the earlier one is in the file
    index.note(earlier, 64, 200)
    index.note(last, 200, 300)
    [entry] = entries(index)
    assert (entry.first_block, entry.end, index.count) == (64, 300, 1)


def test_what_comes_in_the_next_segment_is_not_in_the_index_of_the_last_one() -> None:
    connection, first, second = CapturedConnection(1, dict), SegmentIndex(), SegmentIndex()
    connection.introduced(0, first, 10)
    connection.last_ns, connection.gaps = 20, 2
    last_batch = batch_of(connection)
    connection.introduced(1, second, 30)  # before the last block is in the file
    connection.last_ns, connection.gaps = 40, 1
    first.note(last_batch, 64, 200)
    second.note(batch_of(connection), 64, 200)
    [entry] = entries(first)
    assert (entry.first_ns, entry.last_ns, entry.gaps) == (10, 20, 2)
    [entry] = entries(second)
    assert (entry.first_ns, entry.last_ns, entry.gaps) == (30, 40, 1)


def test_whoever_finds_an_open_segment_finds_it_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a look at the lock would be in its writer's way."""
    real = fcntl.flock
    seen: list[str] = []

    def look(fd: int, operation: int) -> None:
        seen.extend(path.suffix for path in tmp_path.iterdir())
        real(fd, operation)

    directory = FileDirectory(str(tmp_path), trusted=True)
    file = SegmentFile(directory, 1, 0)
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", look)
        file.write(Batch())
    assert seen == [".new"]
    [path] = tmp_path.iterdir()
    assert path.suffix == ".open"
    assert is_locked_at(str(path))
    file.seal(b"")
    assert [path.suffix for path in tmp_path.iterdir()] == [".capture"]
    directory.close()


def test_a_segment_whose_first_block_does_not_fit_leaves_no_file(small_disk: Path) -> None:
    """A disk that has room for headers alone would fill with them."""
    directory = FileDirectory(str(small_disk), trusted=True)
    batch = Batch()
    batch.tail += bytes(2 * DISK_BYTES)
    batch.close()
    file = SegmentFile(directory, 1, 0)
    with pytest.raises(OSError, match="No space"):
        file.write(batch)
    file.seal(b"")
    assert not list(small_disk.iterdir())
    directory.close()


def test_whoever_finds_an_open_segment_that_is_being_sealed_finds_it_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = FileDirectory(str(tmp_path), trusted=True)
    file = SegmentFile(directory, 1, 0)
    file.write(Batch())
    [path] = tmp_path.iterdir()
    real = FileDirectory.rename_at_root
    was_locked: list[bool] = []

    def look(self: FileDirectory, name: str, new_name: str) -> None:
        was_locked.append(is_locked_at(str(path)))
        real(self, name, new_name)

    monkeypatch.setattr(FileDirectory, "rename_at_root", look)
    file.seal(b"")
    assert was_locked == [True]
    assert [path.suffix for path in tmp_path.iterdir()] == [".capture"]
    directory.close()
