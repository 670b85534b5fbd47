"""The threads of a mirror: all of them, or none, and nothing is left."""

import errno
import threading
import time

import pytest

from spliceproxy.loop.reactor import Reactor
from spliceproxy.sinks import disk
from spliceproxy.sinks.disk import Disk
from tests.descriptors import open_descriptors


@pytest.mark.parametrize("started", [0, 1])
def test_no_thread_is_to_be_had(started: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = threading.Thread.start, list(range(started))

    def start(thread: threading.Thread) -> None:
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        real(thread)

    reactor = Reactor()
    before, threads = open_descriptors(), threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(OSError, match=r"clone\(2\)") as caught:
            Disk(reactor)
    assert caught.value.errno == errno.EAGAIN
    assert (open_descriptors(), threading.active_count()) == (before, threads)
    reactor.close()


def test_a_disk_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a worker would be killed before the last of its mirrors had been closed."""
    monkeypatch.setattr(disk, "_EXIT_S", 0.5)
    reactor, goes_on = Reactor(), threading.Event()
    hung = Disk(reactor)
    hung.submit(goes_on.wait, lambda job: None)
    try:
        hung.finish()
        began_s = time.monotonic()
        for _ in range(10):
            hung.finish()
        assert time.monotonic() - began_s < 0.5
    finally:
        goes_on.set()
        hung.retire()
        reactor.close()
