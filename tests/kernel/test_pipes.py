"""Pipes are lent empty, come back empty, and never cost more than the pool may have."""

import errno
import os
from collections.abc import Iterator

import pytest

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import NoPipeError, Pipe, PipePool, PipeStatistics
from tests.descriptors import is_open, open_descriptors
from tests.faults import ENDLESS, Counted, FailAt

MIB = 1 << 20
KIB = 1 << 10


@pytest.fixture
def pool() -> Iterator[PipePool]:
    made = PipePool(idle_pipes=2, full_size_pipes=2, max_pipes=4)
    yield made
    made.close()


def test_a_pipe_has_the_full_size(pool: PipePool) -> None:
    pipe = pool.borrow()
    assert pipe.capacity_bytes == syscalls.pipe_capacity(pipe.read_fd) == MIB
    pool.give_back(pipe)


def test_a_pipe_that_came_back_is_lent_again(pool: PipePool) -> None:
    first = pool.borrow()
    pool.give_back(first)
    assert pool.borrow() is first
    pool.give_back(first)


def test_what_the_pool_holds_is_counted(pool: PipePool) -> None:
    assert pool.statistics() == PipeStatistics(in_use=0, idle=0, capacity_bytes=0)
    first, second = pool.borrow(), pool.borrow()
    assert pool.statistics() == PipeStatistics(in_use=2, idle=0, capacity_bytes=2 * MIB)
    pool.give_back(first)
    assert pool.statistics() == PipeStatistics(in_use=1, idle=1, capacity_bytes=2 * MIB)
    pool.discard(second)
    assert pool.statistics() == PipeStatistics(in_use=0, idle=1, capacity_bytes=MIB)
    pool.close()
    assert pool.statistics() == PipeStatistics(in_use=0, idle=0, capacity_bytes=0)


def test_beyond_the_budget_pipes_have_the_size_of_the_kernel(pool: PipePool) -> None:
    pipes = [pool.borrow() for _ in range(3)]
    assert [pipe.capacity_bytes for pipe in pipes] == [MIB, MIB, 64 * KIB]
    for pipe in pipes:
        pool.discard(pipe)


def test_there_is_a_bound_on_pipes(pool: PipePool) -> None:
    pipes = [pool.borrow() for _ in range(4)]
    with pytest.raises(NoPipeError) as caught:
        pool.borrow()
    assert caught.value.cause.errno == errno.EMFILE
    pool.give_back(pipes[0])
    assert pool.borrow() is pipes[0]
    for pipe in pipes:
        pool.discard(pipe)


def test_no_more_than_so_many_idle_pipes_stay_open(pool: PipePool) -> None:
    pipes = [pool.borrow() for _ in range(4)]
    for pipe in pipes:
        pool.give_back(pipe)
    assert pool.statistics().idle == 2
    assert [is_open(pipe.read_fd) for pipe in pipes] == [True, True, False, False]


def test_a_discarded_pipe_is_closed_with_what_is_in_it(pool: PipePool) -> None:
    pipe = pool.borrow()
    os.write(pipe.write_fd, b"content")
    pool.discard(pipe)
    assert not is_open(pipe.read_fd)
    assert not is_open(pipe.write_fd)


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EPERM])
def test_no_pipe_is_to_be_had(pool: PipePool, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "make_pipe", FailAt(syscalls.make_pipe, 1, error))
    with pytest.raises(NoPipeError, match=os.strerror(error)) as caught:
        pool.borrow()
    assert caught.value.cause.errno == error
    assert pool.statistics() == PipeStatistics(in_use=0, idle=0, capacity_bytes=0)
    pool.discard(pool.borrow())


@pytest.mark.parametrize(("refusals", "size"), [(1, 512 * KIB), (2, 256 * KIB), (3, 128 * KIB)])
def test_the_quota_gives_a_smaller_size(
    pool: PipePool, refusals: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = FailAt(syscalls.set_pipe_capacity, 1, errno.EPERM, times=refusals)
    monkeypatch.setattr(syscalls, "set_pipe_capacity", refuse)
    pipe = pool.borrow()
    assert pipe.capacity_bytes == syscalls.pipe_capacity(pipe.read_fd) == size
    pool.discard(pipe)


def test_the_quota_gives_nothing_at_all(pool: PipePool, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = FailAt(syscalls.set_pipe_capacity, 1, errno.EPERM, times=ENDLESS)
    monkeypatch.setattr(syscalls, "set_pipe_capacity", refuse)
    pipe = pool.borrow()
    assert pipe.capacity_bytes == 64 * KIB
    assert refuse.calls == 4
    pool.discard(pipe)


def test_an_unlucky_pipe_leaves_no_end_open(
    pool: PipePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("set_pipe_capacity", "pipe_capacity"):
        refuse = FailAt(getattr(syscalls, name), 1, errno.ENOSYS, times=ENDLESS)
        monkeypatch.setattr(syscalls, name, refuse)
    before = open_descriptors()
    with pytest.raises(NoPipeError):
        pool.borrow()
    assert open_descriptors() == before
    assert pool.statistics().in_use == 0


def test_lending_an_idle_pipe_asks_nothing_of_the_kernel(
    pool: PipePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Counted(syscalls.make_pipe)
    monkeypatch.setattr(syscalls, "make_pipe", calls)
    for _ in range(10):
        pool.give_back(pool.borrow())
    assert calls.calls == 1


def test_a_small_pipe_is_not_resized(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Counted(syscalls.set_pipe_capacity)
    monkeypatch.setattr(syscalls, "set_pipe_capacity", calls)
    pipe = Pipe(0)
    assert (pipe.capacity_bytes, calls.calls) == (64 * KIB, 0)
    pipe.close()


def test_bytes_go_in_and_come_out_however_short_a_call_falls(
    pool: PipePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = syscalls.read, syscalls.write
    monkeypatch.setattr(syscalls, "read", lambda fd, count: read(fd, min(count, 3)))
    monkeypatch.setattr(syscalls, "write", lambda fd, data: write(fd, data[:3]))
    pipe = pool.borrow()
    pipe.write_all(b"0123456789")
    assert pipe.read_all(7) == b"0123456"
    assert pipe.read_all(3) == b"789"
    pool.give_back(pipe)


def test_a_pipe_that_neither_gives_nor_takes(
    pool: PipePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be asked for ever."""
    pipe = pool.borrow()
    monkeypatch.setattr(syscalls, "read", lambda fd, count: b"")
    monkeypatch.setattr(syscalls, "write", lambda fd, data: 0)
    with pytest.raises(OSError, match="less than was put into it"):
        pipe.read_all(1)
    with pytest.raises(OSError, match="takes nothing"):
        pipe.write_all(b"x")
    pool.give_back(pipe)
