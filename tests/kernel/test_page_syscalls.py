"""Calls that concern pages: what each promises beyond its manual page."""

import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spliceproxy.kernel import page_syscalls, syscalls
from spliceproxy.kernel.page_syscalls import PAGE_BYTES


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = syscalls.make_pipe()
    yield ends
    for fd in ends:
        os.close(fd)


@pytest.fixture
def memory() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, 4 * PAGE_BYTES) as pages:
        pages[:] = b"".join(bytes([letter]) * PAGE_BYTES for letter in b"abcd")
        yield pages


@pytest.mark.parametrize("flags", [0, page_syscalls.SPLICE_F_GIFT])
def test_a_pipe_refers_to_memory(pipe: tuple[int, int], memory: mmap.mmap, flags: int) -> None:
    reader, writer = pipe
    flags |= syscalls.SPLICE_NONBLOCK
    assert page_syscalls.vmsplice(writer, memory, PAGE_BYTES, 2 * PAGE_BYTES, flags) == 8192
    memory[PAGE_BYTES] = ord("x")
    assert os.read(reader, 3 * PAGE_BYTES) == b"x" + b"b" * 4095 + b"c" * 4096


def test_memory_may_be_unmapped_while_a_pipe_refers_to_it(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    memory = mmap.mmap(-1, PAGE_BYTES)
    memory[:] = b"a" * PAGE_BYTES
    page_syscalls.vmsplice(writer, memory, 0, PAGE_BYTES)
    memory.close()
    assert os.read(reader, PAGE_BYTES) == b"a" * PAGE_BYTES


def test_vmsplice_takes_what_there_are_slots_for(pipe: tuple[int, int], memory: mmap.mmap) -> None:
    _, writer = pipe
    syscalls.set_pipe_capacity(writer, PAGE_BYTES)
    assert page_syscalls.vmsplice(writer, memory, 0, 2 * PAGE_BYTES) == PAGE_BYTES
    with pytest.raises(BlockingIOError):
        page_syscalls.vmsplice(writer, memory, 0, PAGE_BYTES)


def test_vmsplice_of_a_map_whose_file_has_shrunk(pipe: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(PAGE_BYTES))
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), PAGE_BYTES, access=mmap.ACCESS_COPY) as memory,
    ):
        os.truncate(path, 0)
        with pytest.raises(OSError, match="Bad address") as caught:
            page_syscalls.vmsplice(pipe[1], memory, 0, PAGE_BYTES)
    assert caught.value.errno == errno.EFAULT


def test_vmsplice_into_what_is_no_pipe(memory: mmap.mmap) -> None:
    with Path("/dev/null").open("wb") as file, pytest.raises(OSError, match="Bad file") as caught:
        page_syscalls.vmsplice(file.fileno(), memory, 0, 1)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize(("offset", "count"), [(-1, 1), (0, 0), (0, 16385), (16384, 1)])
def test_ranges_outside_the_memory_are_refused(
    pipe: tuple[int, int], memory: mmap.mmap, offset: int, count: int
) -> None:
    with pytest.raises(ValueError, match="are not a part of 16384"):
        page_syscalls.vmsplice(pipe[1], memory, offset, count)


def test_mincore_tells_the_pages_of_memory_that_were_touched() -> None:
    with mmap.mmap(-1, 4 * PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        memory[PAGE_BYTES] = 1
        found = page_syscalls.mincore(memory, 0, 3 * PAGE_BYTES + 1)
    assert [page & 1 for page in found] == [0, 1, 0, 0]


def test_mincore_sees_the_page_cache_of_a_map_that_nobody_touched(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(2 * PAGE_BYTES))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as memory:
        found = page_syscalls.mincore(memory, 0, len(memory))
    assert [page & 1 for page in found] == [1, 1]


def test_mincore_starts_on_a_page(memory: mmap.mmap) -> None:
    with pytest.raises(OSError, match="Invalid argument") as caught:
        page_syscalls.mincore(memory, 1, 1)
    assert caught.value.errno == errno.EINVAL


def test_sendfile_ends_with_zero_at_the_file_s_end(tmp_path: Path, pipe: tuple[int, int]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with path.open("rb") as file:
        assert page_syscalls.sendfile(pipe[1], file.fileno(), 3, 100) == 4
        assert page_syscalls.sendfile(pipe[1], file.fileno(), 7, 100) == 0
    assert os.read(pipe[0], 100) == b"tent"


def test_msync_is_for_whole_pages_of_what_is_mapped(memory: mmap.mmap) -> None:
    page_syscalls.msync(memory, 0, 1, page_syscalls.MS_SYNC)
    with pytest.raises(OSError, match="Invalid argument"):
        page_syscalls.msync(memory, 1, 1, page_syscalls.MS_SYNC)
    with pytest.raises(OSError, match="Invalid argument"):
        page_syscalls.msync(memory, 0, 1, page_syscalls.MS_SYNC | page_syscalls.MS_ASYNC)


def test_cached_pages_are_counted_for_each_page_that_a_range_touches() -> None:
    fd = os.memfd_create("pages", os.MFD_CLOEXEC)
    try:
        os.write(fd, bytes(2 * PAGE_BYTES + 1))
        assert page_syscalls.cached_pages(fd, 0, 2 * PAGE_BYTES + 1) == 3
        assert page_syscalls.cached_pages(fd, PAGE_BYTES - 1, 2) == 2
        assert page_syscalls.cached_pages(fd, 3 * PAGE_BYTES, 1) == 0
    finally:
        os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        page_syscalls.cached_pages(fd, 0, 1)
