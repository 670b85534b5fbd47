"""A mirror that is always a little behind holds what it has not delivered, and no more."""

import os
import tracemalloc
from collections.abc import Iterator

import pytest

from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.budget import Budget
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.write_queue import write_queue

MESSAGE_BYTES = 32 << 10
LAG_BYTES = 5 * MESSAGE_BYTES


class Lagging(Outlet):
    """Gets rid of as much as comes in, and never of all."""

    gather_bytes, gather_s = 1, 0.0

    def __init__(self, branch: Branch) -> None:
        self._branch = branch
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def start(self) -> None:
        pass

    def flush(self) -> None:
        if self._branch.queued_bytes > LAG_BYTES:
            write_queue(self._branch, self._writer)
            os.read(self._reader, MESSAGE_BYTES)

    def finish(self, *, clean: bool) -> None:
        self._branch.closed()

    def cut(self) -> None:
        self._branch.closed()

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


@pytest.fixture
def branch() -> Iterator[Branch]:
    reactor = Reactor()
    settings = parse_mirror("tcp://127.0.0.1:1")
    made = Branch(
        settings,
        "request",
        reactor,
        Budget(1 << 30).open_share().join(b""),
        on_open=lambda: None,
        on_room=lambda: None,
        on_failed=lambda why: None,
        on_closed=lambda branch: None,
    )
    outlet = made.outlet = Lagging(made)
    yield made
    made.fail("the test is over")
    outlet.close()
    reactor.close()


def test_what_is_delivered_is_not_kept(branch: Branch) -> None:
    tracemalloc.start()
    try:
        for _ in range(500):
            assert branch.accept(MESSAGE_BYTES) == MESSAGE_BYTES
            branch.take_bytes(bytes(MESSAGE_BYTES))
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0 < branch.queued_bytes <= LAG_BYTES + MESSAGE_BYTES
    assert held_bytes < 2 << 20
