"""Files that are not in memory: a thread reads them in, and nobody else waits."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from spliceproxy.kernel import page_syscalls
from tests.tools.companions.pagecache.conftest import disk_path
from tests.tools.companions.techniques.sending import PAGE, content, file_of
from tools.companions.origin.cold_reader import ColdReader, is_in_memory
from tools.companions.origin.counts import Count, Counts

from .conftest import TEXT
from .serving import TIMEOUT_S, ask, serving

__all__ = ["disk_path"]

SIZE = (1 << 20) + 17


def dropped(path: Path) -> None:
    """Have a file's pages on the disk only."""
    fd = os.open(path, os.O_RDWR)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


@pytest.fixture
def cold(disk_path: Path) -> Path:
    path = disk_path / "file"
    path.write_bytes(content(SIZE))
    dropped(path)
    return path


class SlowDisk:
    """Page cache calls that find everything cold, and reads that wait until they may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go_on = threading.Event()
        self.reading = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self._pread, self._sendfile = os.pread, page_syscalls.sendfile
        self._server = threading.get_ident()
        monkeypatch.setattr(page_syscalls, "read_now", lambda _fd, _memory, _offset: None)
        monkeypatch.setattr(os, "pread", self._slow_pread)
        monkeypatch.setattr(page_syscalls, "sendfile", self._slow_sendfile)

    @contextmanager
    def _wait(self) -> Iterator[None]:
        if threading.get_ident() != self._server:
            with self._lock:
                self.reading += 1
                self.most_at_once = max(self.most_at_once, self.reading)
            assert self.may_go_on.wait(TIMEOUT_S)
            with self._lock:
                self.reading -= 1
        yield

    def _slow_pread(self, fd: int, count: int, offset: int) -> bytes:
        with self._wait():
            return self._pread(fd, count, offset)

    def _slow_sendfile(self, out_fd: int, fd: int, offset: int, count: int) -> int:
        with self._wait():
            return self._sendfile(out_fd, fd, offset, count)

    async def until_reading(self, count: int) -> None:
        with trio.fail_after(TIMEOUT_S):
            while self.reading < count:  # noqa: ASYNC110 - changed by threads
                await trio.sleep(0.005)


@pytest.mark.parametrize("method", ["auto", "sendfile", "readwrite"])
@pytest.mark.parametrize("size_bytes", [100, SIZE])
async def test_a_cold_file_holds_up_nobody_else(
    root: Path, method: str, size_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "cold").write_bytes(content(SIZE)[:size_bytes])
    bodies: list[bytes] = []
    async with serving(root, method=method, threads=2) as port:
        disk = SlowDisk(monkeypatch)

        async def download() -> None:
            bodies.append((await ask(port, "/cold")).body)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(download)
            await disk.until_reading(1)
            assert (await ask(port, "/empty")).status == 200  # another one, meanwhile
            assert bodies == []
            disk.may_go_on.set()
    assert bodies == [content(SIZE)[:size_bytes]]


async def test_threads_are_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(root, threads=2) as port:
        disk = SlowDisk(monkeypatch)
        async with trio.open_nursery() as nursery:
            for _client in range(6):
                nursery.start_soon(ask, port, "/text.txt")
            await disk.until_reading(2)
            for _turn in range(20):
                assert (await ask(port, "/empty")).status == 200
            disk.may_go_on.set()
    assert disk.most_at_once == 2


async def test_a_stop_waits_for_the_read_under_way(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its descriptor must not be closed, and be another file's, while the thread reads."""
    async with trio.open_nursery() as nursery:
        async with serving(root, threads=1) as port:
            disk = SlowDisk(monkeypatch)
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(b"GET /text.txt HTTP/1.1\r\nHost: x\r\n\r\n")
            await disk.until_reading(1)
            threading.Timer(0.1, disk.may_go_on.set).start()
        assert disk.reading == 0
        await stream.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("method", ["auto", "splice", "mmap", "vmsplice"])
async def test_a_file_on_the_disk_is_read_once(cold: Path, method: str) -> None:
    counts = Counts()
    async with serving(cold.parent, method=method, threads=2, counts=counts) as port:
        assert (await ask(port, "/file")).body == content(SIZE)
        reads = counts.totals()[Count.COLD_READS]
        assert reads >= (method != "mmap")  # a new map has itself read in
        assert (await ask(port, "/file")).body == content(SIZE)
        assert counts.totals()[Count.COLD_READS] == reads


async def test_a_small_file_on_the_disk(disk_path: Path) -> None:
    counts = Counts()
    (disk_path / "small").write_bytes(TEXT)
    dropped(disk_path / "small")
    async with serving(disk_path, threads=1, counts=counts) as port:
        for _request in range(3):
            assert (await ask(port, "/small")).body == TEXT
    # None where the disk was so fast that the look itself brought it in.
    assert counts.totals()[Count.COLD_READS] <= 1


async def test_files_in_memory_need_no_thread() -> None:
    counts = Counts()
    reader = ColdReader(1, counts.row())
    with file_of(content(SIZE)) as fd:
        await reader.bring_in(fd, 0, SIZE)
        assert await reader.read(fd, 100, 5) == content(SIZE)[5:105]
    reader.close()
    assert counts.totals()[Count.COLD_READS] == 0


def test_one_page_that_is_missing_is_noticed(cold: Path) -> None:
    fd = os.open(cold, os.O_RDONLY)
    assert not is_in_memory(fd, 0, SIZE)
    os.pread(fd, SIZE, 0)
    assert is_in_memory(fd, 0, SIZE)
    assert is_in_memory(fd, SIZE - 1, 1)
    os.posix_fadvise(fd, 50 * PAGE, PAGE, os.POSIX_FADV_DONTNEED)
    missing = page_syscalls.cached_pages(fd, 0, SIZE) < -(-SIZE // PAGE)
    assert is_in_memory(fd, 0, SIZE) != missing  # large folios may stay whole
    os.close(fd)


def test_a_kernel_that_does_not_count_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_fd: int, _offset: int, _count: int) -> int:
        raise OSError(errno.ENOSYS, "no such call")

    missing = 5 * (128 << 10)

    def read_now(_fd: int, _memory: bytearray, offset: int) -> int | None:
        return None if offset == missing else 1

    monkeypatch.setattr(page_syscalls, "cached_pages", refuse)
    with file_of(b"x") as fd:
        assert not is_in_memory(fd, 0, 1)  # neither is to be had: a thread will do
        monkeypatch.setattr(page_syscalls, "read_now", read_now)
        assert not is_in_memory(fd, 0, SIZE)
        assert is_in_memory(fd, 0, missing)
        assert not is_in_memory(fd, 17, missing - 16)  # its last byte


async def test_a_file_that_shrinks_is_no_endless_read(cold: Path) -> None:
    reader = ColdReader(1, Counts().row())
    fd = os.open(cold, os.O_RDONLY)
    with trio.fail_after(TIMEOUT_S):
        await reader.bring_in(fd, 0, 2 * SIZE)
        assert await reader.read(fd, 100, SIZE - 1) == content(SIZE)[-1:]
    os.close(fd)
    reader.close()


@pytest.mark.parametrize("threads", [0, 2])
async def test_large_files_past_the_page_cache(cold: Path, threads: int) -> None:
    counts = Counts()
    async with serving(cold.parent, threads=threads, counts=counts, direct_from_bytes=SIZE) as port:
        assert (await ask(port, "/file")).body == content(SIZE)
        part = await ask(port, "/file", Range="bytes=4095-70000")
        assert part.body == content(SIZE)[4095:70001]
        totals = counts.totals()
        if totals[Count.DIRECT_REFUSALS]:
            pytest.skip("the file system of temporary files has no O_DIRECT")
    assert totals[Count.DIRECT_FILES] == 2
    fd = os.open(cold, os.O_RDONLY)
    assert page_syscalls.cached_pages(fd, 0, SIZE) == 0
    os.close(fd)
