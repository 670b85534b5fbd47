"""Where a call is refused, its stand-in does the same."""

import errno
import os
import select
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from spliceproxy.errors import StartProblem
from spliceproxy.kernel import child_end, memory_file, refusals
from spliceproxy.kernel.child_end import ChildEnd
from spliceproxy.kernel.memory_file import make_memory_file
from spliceproxy.kernel.real_path import real_path
from spliceproxy.kernel.refusals import CALLS, is_allowed, refused, require
from tests.descriptors import open_descriptors

both_ways = pytest.mark.parametrize("allowed", [True, False])


def is_readable(fd: int, timeout_s: float = 0.0) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


@both_ways
def test_the_end_of_a_child(allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_end, "is_allowed", lambda _: allowed)
    before = open_descriptors()
    reader, writer = os.pipe()
    end = ChildEnd()
    pid = os.fork()
    if not pid:
        end.stay_in_child()
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    end.watch(pid)
    assert not is_readable(end.fd)
    os.close(writer)
    assert is_readable(end.fd, 20)
    os.waitpid(pid, 0)
    end.close()
    os.close(reader)
    assert open_descriptors() == before


@both_ways
def test_an_end_that_is_never_watched(allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_end, "is_allowed", lambda _: allowed)
    before = open_descriptors()
    ChildEnd().close()
    assert open_descriptors() == before


@both_ways
def test_a_memory_file(allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_file, "is_allowed", lambda _: allowed)
    fd = make_memory_file("of-a-test")
    try:
        os.write(fd, b"content")
        assert os.pread(fd, 10, 0) == b"content"
        assert os.fstat(fd).st_nlink == 0
        assert not os.get_inheritable(fd)
    finally:
        os.close(fd)


def test_neither_memory_nor_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory_file, "is_allowed", lambda _: False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(
        OSError, match=r"memfd_create\(2\), and a temporary file in its place: No such"
    ):
        make_memory_file("of-a-test")


@pytest.mark.parametrize("call", CALLS)
def test_a_trial_leaves_nothing_behind(call: str) -> None:
    before = open_descriptors()
    require(call, "which a test makes")
    assert open_descriptors() == before


def failing(error: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(error, os.strerror(error))

    return fail


def test_a_shortage_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for again: the next answer may be another one."""
    is_allowed.cache_clear()
    monkeypatch.setitem(CALLS, "pipe2", failing(errno.EMFILE))
    with pytest.raises(OSError, match="Too many open files"):
        is_allowed("pipe2")
    monkeypatch.undo()
    assert is_allowed("pipe2")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (errno.EPERM, "seccomp"),
        (errno.ENOSYS, "seccomp"),
        (errno.EAGAIN, "pids.max"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENOSPC, "disk"),
    ],
)
def test_the_remedy(error: int, remedy: str) -> None:
    problem = refused("pipe2(2)", OSError(error, os.strerror(error)))
    assert problem.message == f"the system refuses pipe2(2) ({os.strerror(error)})"
    assert remedy in problem.remedy


def test_a_required_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(refusals.CALLS, "eventfd2", failing(errno.EPERM))
    with pytest.raises(
        StartProblem, match=r"refuses eventfd2\(2\), which a test needs \(Operation"
    ):
        require("eventfd2", "which a test needs")


def test_a_path_in_a_directory_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    (tmp_path / "link").symlink_to("gone")
    monkeypatch.chdir(gone)
    assert real_path("../link") == str(gone)
    gone.rmdir()
    assert real_path("relative") == "relative"
    assert real_path(f"{tmp_path}/link") == str(gone)
