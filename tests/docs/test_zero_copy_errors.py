"""What docs/zero-copy.md says about refusals is what this kernel does."""

import errno
import fcntl
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from spliceproxy.kernel import page_syscalls, syscalls
from tests.streams import fill_up, tcp_pair
from tools.bench.machine import file_system

SIZE_BYTES = 100_000


class Ends:
    """A file, a file opened for appending, a pair of sockets, two pipes."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        path = directory / "file"
        path.write_bytes(bytes(SIZE_BYTES))
        self.near, self.far = map(stack.enter_context, tcp_pair())
        self.file = os.open(path, os.O_RDWR)
        self.appended = os.open(directory / "appended", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.read_end, self.write_end = syscalls.make_pipe()
        self.full_read_end, self.full_write_end = syscalls.make_pipe()
        for fd in (self.file, self.appended, self.read_end, self.write_end):
            stack.callback(os.close, fd)
        for fd in (self.full_read_end, self.full_write_end):
            stack.callback(os.close, fd)
        os.write(self.full_write_end, bytes(64 << 10))

    def splice(self, source: int, destination: int) -> int:
        return syscalls.splice(source, destination, 10, flags=syscalls.SPLICE_NONBLOCK)


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    with ExitStack() as stack:
        yield Ends(tmp_path, stack)


def fill_and_splice(ends: Ends) -> int:
    fill_up(ends.near)
    return ends.splice(ends.full_read_end, ends.near.fileno())


def fill_and_sendfile(ends: Ends) -> int:
    fill_up(ends.near)
    return os.sendfile(ends.near.fileno(), ends.file, 0, 10)


def give(fd: int, offset: int, count: int) -> int:
    """Vmsplice a part of fresh memory, as a gift."""
    flags = syscalls.SPLICE_NONBLOCK | page_syscalls.SPLICE_F_GIFT
    with closing(mmap.mmap(-1, 2 * mmap.PAGESIZE)) as memory:
        return page_syscalls.vmsplice(fd, memory, offset, count, flags)


def shrink(ends: Ends) -> int:
    return fcntl.fcntl(ends.full_write_end, fcntl.F_SETPIPE_SZ, mmap.PAGESIZE)


REFUSED: dict[str, tuple[int, Callable[[Ends], int]]] = {
    "splice without a pipe": (errno.EINVAL, lambda e: e.splice(e.file, e.near.fileno())),
    "splice within a pipe": (errno.EINVAL, lambda e: e.splice(e.full_read_end, e.full_write_end)),
    "splice to append": (errno.EINVAL, lambda e: e.splice(e.full_read_end, e.appended)),
    "sendfile to append": (errno.EINVAL, lambda e: os.sendfile(e.appended, e.file, 0, 10)),
    "sendfile of a pipe": (
        errno.EINVAL,
        lambda e: os.sendfile(e.near.fileno(), e.full_read_end, None, 10),
    ),
    "tee to a file": (errno.EINVAL, lambda e: syscalls.tee(e.full_read_end, e.file, 10)),
    "tee within a pipe": (
        errno.EINVAL,
        lambda e: syscalls.tee(e.full_read_end, e.full_write_end, 10),
    ),
    "offset of a pipe": (
        errno.ESPIPE,
        lambda e: syscalls.splice(e.file, e.write_end, 10, offset_dst=0),
    ),
    "fill: nothing to take": (errno.EAGAIN, lambda e: e.splice(e.near.fileno(), e.write_end)),
    "fill: the pipe is full": (errno.EAGAIN, lambda e: e.splice(e.file, e.full_write_end)),
    "drain: the pipe is empty": (errno.EAGAIN, lambda e: e.splice(e.read_end, e.near.fileno())),
    "drain: the socket is full": (errno.EAGAIN, fill_and_splice),
    "sendfile: the socket is full": (errno.EAGAIN, fill_and_sendfile),
    "vmsplice into a socket": (errno.EBADF, lambda e: give(e.near.fileno(), 0, mmap.PAGESIZE)),
    "shrink below the content": (errno.EBUSY, shrink),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_has_the_errno_of_the_page(ends: Ends, case: str) -> None:
    expected, call = REFUSED[case]
    with pytest.raises(OSError, match=os.strerror(expected)) as caught:
        call(ends)
    assert caught.value.errno == expected


def test_a_file_that_was_cut_under_its_map_is_efault_to_send(ends: Ends) -> None:
    with closing(mmap.mmap(ends.file, SIZE_BYTES, mmap.MAP_SHARED, mmap.PROT_READ)) as mapping:
        os.ftruncate(ends.file, mmap.PAGESIZE)
        with memoryview(mapping) as view, view[-10:] as tail, pytest.raises(OSError) as caught:  # noqa: PT011
            ends.near.send(tail)
    assert caught.value.errno == errno.EFAULT


def test_zero_is_the_end_of_a_file(ends: Ends) -> None:
    assert os.sendfile(ends.near.fileno(), ends.file, SIZE_BYTES, 10) == 0
    os.lseek(ends.file, 0, os.SEEK_END)
    assert ends.splice(ends.file, ends.write_end) == 0


def test_sendfile_goes_into_pipes_too(ends: Ends) -> None:
    assert os.sendfile(ends.write_end, ends.file, 0, 10) == 10


def test_the_flag_that_would_move_pages_is_accepted_and_ignored(ends: Ends) -> None:
    os.pwrite(ends.file, b"old", 0)
    assert os.splice(ends.file, ends.write_end, 10, offset_src=0, flags=os.SPLICE_F_MOVE) == 10
    os.pwrite(ends.file, b"NEW", 0)
    assert os.read(ends.read_end, 3) == b"NEW", "the pipe still refers to the file's page"


def test_a_gift_that_is_no_page_is_taken_all_the_same(ends: Ends) -> None:
    assert give(ends.write_end, 10, 100) == 100


def test_a_pipe_above_the_maximum_is_for_the_privileged(ends: Ends) -> None:
    most_bytes = int(Path("/proc/sys/fs/pipe-max-size").read_text())
    try:
        given_bytes = syscalls.set_pipe_capacity(ends.write_end, 2 * most_bytes)
    except PermissionError:
        return
    assert given_bytes == 2 * most_bytes, "this process has CAP_SYS_RESOURCE"


def refusal(call: Callable[[], object]) -> int | None:
    try:
        call()
    except OSError as error:
        return error.errno
    return None


def test_a_direct_read_is_aligned(tmp_path: Path) -> None:
    if file_system(tmp_path, Path("/proc/self/mounts").read_text()) not in {"ext4", "xfs", "btrfs"}:
        pytest.skip("temporary files are on a file system with rules of its own")
    (tmp_path / "file").write_bytes(bytes(SIZE_BYTES))
    fd = os.open(tmp_path / "file", os.O_RDONLY | os.O_DIRECT)
    with closing(mmap.mmap(-1, 2 * mmap.PAGESIZE)) as memory:
        assert os.preadv(fd, [memory], 0) == 2 * mmap.PAGESIZE
        assert refusal(lambda: os.preadv(fd, [memory], 1)) == errno.EINVAL
    os.close(fd)


def test_file_systems_in_memory_cannot_tell_what_would_wait() -> None:
    fd = os.memfd_create("file", os.MFD_CLOEXEC)
    os.write(fd, b"x")
    assert refusal(lambda: page_syscalls.read_now(fd, bytearray(1), 0)) == errno.EOPNOTSUPP
    os.close(fd)
