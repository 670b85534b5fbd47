"""Reads past the page cache: the same bytes at any offset, and nothing left in memory."""

import errno
import os
from pathlib import Path

import pytest

from spliceproxy.kernel import page_syscalls
from tests.streams import TINY, tcp_pair
from tests.tools.companions.pagecache.conftest import disk_path
from tests.tools.companions.techniques.sending import PAGE, content, deliver
from tools.companions.techniques.direct import DirectSender, set_direct
from tools.companions.techniques.sender import FileShrunkError

__all__ = ["disk_path"]

SIZE = 20 * PAGE + 5
BUFFER = 4 * PAGE
RANGES = ((0, SIZE), (0, 1), (1, PAGE), (PAGE - 1, 2), (PAGE, PAGE), (3, SIZE - 3), (SIZE - 1, 1))


@pytest.fixture
def fd(disk_path: Path) -> int:
    """An open file that the disk has and memory has not; the test closes it."""
    path = disk_path / "file"
    path.write_bytes(content(SIZE))
    opened = os.open(path, os.O_RDWR)
    os.fsync(opened)
    os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
    if not set_direct(opened):
        os.close(opened)
        pytest.skip("the file system of temporary files has no O_DIRECT")
    return opened


@pytest.mark.parametrize(("offset", "length"), RANGES)
@pytest.mark.parametrize("buffer_bytes", [1, BUFFER, 1 << 20])
def test_ranges(fd: int, offset: int, length: int, buffer_bytes: int) -> None:
    near, far = tcp_pair(TINY)
    with near, far:
        sent = deliver(DirectSender(fd, offset, length, buffer_bytes), near, far)
    assert sent == content(SIZE)[offset : offset + length]
    assert page_syscalls.cached_pages(fd, 0, SIZE) == 0
    os.close(fd)


def test_a_reader_in_another_thread_fills_the_buffer_before(fd: int) -> None:
    sender = DirectSender(fd, 10, SIZE - 10, BUFFER)
    assert sender.held_bytes == 0
    sender.read()
    assert sender.held_bytes == BUFFER - 10
    near, far = tcp_pair()
    with near, far:
        assert deliver(sender, near, far) == content(SIZE)[10:]
    os.close(fd)


def test_a_file_that_has_shrunk(fd: int) -> None:
    sender = DirectSender(fd, 0, SIZE, BUFFER)
    os.truncate(f"/proc/self/fd/{fd}", BUFFER + 1)
    near, far = tcp_pair()
    with near, far, pytest.raises(FileShrunkError) as caught:
        deliver(sender, near, far)
    assert caught.value.offset == BUFFER + 1
    os.close(fd)


def test_a_read_that_is_refused_goes_by_way_of_the_page_cache(
    fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    preadv, refusals = os.preadv, [OSError(errno.EINVAL, "refused")]

    def refuse_once(*call: object) -> int:
        if refusals:
            raise refusals.pop()
        return preadv(*call)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(os, "preadv", refuse_once)
    near, far = tcp_pair()
    with near, far:
        assert deliver(DirectSender(fd, 1, SIZE - 1, BUFFER), near, far) == content(SIZE)[1:]
    assert page_syscalls.cached_pages(fd, 0, SIZE) > 0
    os.close(fd)


def test_other_errors_are_not_hidden(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_call: object) -> int:
        raise OSError(errno.EIO, "broken disk")

    sender = DirectSender(fd, 0, SIZE, BUFFER)
    with monkeypatch.context() as patched:
        patched.setattr(os, "preadv", fail)
        with pytest.raises(OSError, match="broken disk"):
            sender.read()
    sender.close()
    os.close(fd)


def test_a_file_system_without_direct_reads_refuses() -> None:
    notes = Path("/sys/kernel/notes")
    if not notes.exists():
        pytest.skip("this kernel shows no notes")
    notes_fd = os.open(notes, os.O_RDONLY)
    assert not set_direct(notes_fd)
    os.close(notes_fd)
