"""posix_fadvise around a sender: what of the file is in memory before, during and after."""

import os
import time
from pathlib import Path

import pytest

from spliceproxy.kernel import page_syscalls
from tests.streams import tcp_pair
from tests.tools.companions.pagecache.conftest import disk_path
from tests.tools.companions.techniques.sending import PAGE, content, deliver, file_of
from tools.companions.techniques.advice import ADVICE, DROP_INTERVAL_BYTES, Advice, AdvisedSender
from tools.companions.techniques.opening import open_sender
from tools.companions.techniques.sender import METHODS, Method

__all__ = ["disk_path"]

SIZE = DROP_INTERVAL_BYTES + 5 * PAGE
TIMEOUT_S = 20


def written(directory: Path) -> int:
    """Return a descriptor of a file that the disk has."""
    path = directory / "file"
    path.write_bytes(content(SIZE))
    fd = os.open(path, os.O_RDWR)
    os.fsync(fd)
    return fd


def send(fd: int, *advice: Advice) -> bytes:
    near, far = tcp_pair()
    with near, far:
        sender = open_sender("readwrite", fd, 0, SIZE)
        return deliver(AdvisedSender(sender, frozenset(advice), fd, 0), near, far)


def test_dontneed_leaves_nothing_in_memory(disk_path: Path) -> None:
    fd = written(disk_path)
    try:
        assert send(fd) == content(SIZE)
        assert page_syscalls.cached_pages(fd, 0, SIZE) == -(-SIZE // PAGE)
        assert send(fd, "dontneed") == content(SIZE)
        assert page_syscalls.cached_pages(fd, 0, SIZE) == 0
    finally:
        os.close(fd)


def test_dontneed_drops_on_the_way(disk_path: Path) -> None:
    fd = written(disk_path)
    near, far = tcp_pair()
    with near, far:
        sender = AdvisedSender(open_sender("readwrite", fd, 0, SIZE), frozenset(ADVICE), fd, 0)
        while SIZE - sender.left_bytes < DROP_INTERVAL_BYTES:
            sender.send_some(near, 1 << 16)
            far.setblocking(True)
            far.recv(1 << 20)
        assert page_syscalls.cached_pages(fd, 0, DROP_INTERVAL_BYTES) == 0
        sender.close()
    os.close(fd)


def test_willneed_reads_in_before_anything_is_sent(disk_path: Path) -> None:
    fd = written(disk_path)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    sender = AdvisedSender(
        open_sender("readwrite", fd, PAGE, 4 * PAGE), frozenset({"willneed"}), fd, PAGE
    )
    deadline_s = time.monotonic() + TIMEOUT_S
    while page_syscalls.cached_pages(fd, PAGE, 4 * PAGE) < 4:
        assert time.monotonic() < deadline_s
    assert page_syscalls.cached_pages(fd, SIZE - PAGE, PAGE) == 0  # only the range
    sender.close()
    os.close(fd)


def test_sequential_is_said_of_the_whole_open_file(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[int, int, int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda *call: said.append(call))
    with file_of(content(PAGE)) as fd:
        sender = open_sender("readwrite", fd, 1, 2)
        AdvisedSender(sender, frozenset({"sequential"}), fd, 1).close()
        assert said == [(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)]


@pytest.mark.parametrize("method", METHODS)
def test_advice_changes_no_byte(method: Method) -> None:
    data = content(3 * PAGE + 1)
    near, far = tcp_pair()
    with near, far, file_of(data) as fd:
        sender = open_sender(method, fd, 1, len(data) - 1)
        assert deliver(AdvisedSender(sender, frozenset(ADVICE), fd, 1), near, far) == data[1:]


def test_nothing_sent_drops_nothing(disk_path: Path) -> None:
    fd = written(disk_path)
    AdvisedSender(open_sender("readwrite", fd, 0, SIZE), frozenset({"dontneed"}), fd, 0).close()
    assert page_syscalls.cached_pages(fd, 0, SIZE) == -(-SIZE // PAGE)
    os.close(fd)
