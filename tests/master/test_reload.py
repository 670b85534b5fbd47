"""A reload whose workers fail: nothing stays of it."""

import errno
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from spliceproxy.ipc import control
from spliceproxy.ipc.rows import TABLE_ROWS
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.master import reload
from spliceproxy.master.admin_process_keeper import AdminProcessKeeper
from spliceproxy.master.generation import Generation, make_generation
from spliceproxy.master.loader import (
    LoadedConfiguration,
    LoaderProcess,
    ReloadRefused,
    load_configuration,
)
from spliceproxy.master.open_listeners import ListenerChange, OpenListeners
from spliceproxy.master.reload import Reloader
from spliceproxy.master.sample_keys import SampleKeys
from spliceproxy.master.workers import Assignment
from spliceproxy.observe.logs import Logs
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.log import AccessLogSettings, LogSettings
from spliceproxy.settings.log_destination import LogDestination
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.single_route import single_route
from tests.e2e.processes import children, wait_until

Work = Callable[[socket.socket], int]


def settings() -> Settings:
    return single_route(
        (TcpAddress("127.0.0.1", 0),), (TcpAddress("127.0.0.1", 9),), workers=2, raise_nofile=False
    )


@dataclass(frozen=True)
class Parts:
    """What a master gives to a reload."""

    children: list[int]  # before it

    listeners: OpenListeners
    logs: Logs
    slots: WorkerSlots
    admin: AdminProcessKeeper


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    before = children(os.getpid())
    destination = LogDestination("file", path=str(tmp_path / "log"))
    with (
        closing(Logs(LogSettings(to=destination), AccessLogSettings())) as logs,
        closing(OpenListeners()) as listeners,
        closing(SharedTable(TABLE_ROWS)) as table,
    ):
        admin = AdminProcessKeeper([], table, logs, lambda: None, lambda: None)
        yield Parts(before, listeners, logs, WorkerSlots(table), admin)


class Begun:
    """A reload that has begun, and what comes of it."""

    def __init__(self, work: Work, parts: Parts) -> None:
        """The new workers do this."""
        self.parts = parts
        self.accepted: list[Generation] = []
        self.reasons: list[str] = []
        """Why reloads were refused."""
        self.ending: Generation | None = None
        self._work = work
        self.reloader = Reloader(
            self._start_loader, parts.listeners, self._make, self._take_over, self._refuse
        )
        self.reloader.want()
        self.reloader.tend()

    def _start_loader(self) -> LoaderProcess:
        return LoaderProcess(
            lambda: load_configuration(settings, InheritedSockets()), self.parts.logs, lambda: None
        )

    def _make(self, loaded: LoadedConfiguration, change: ListenerChange) -> Generation:
        def be_worker(_generation: Generation, assignment: Assignment) -> int:
            return self._work(assignment.orders)

        parts = self.parts
        return make_generation(
            2, loaded, parts.logs, change, parts.slots, parts.admin, be_worker, SampleKeys()
        )

    def _take_over(self, generation: Generation, change: ListenerChange) -> None:
        change.commit()
        self.accepted.append(generation)

    def _refuse(self, refused: ReloadRefused, generation: Generation | None) -> None:
        self.reasons.append(refused.reason)
        self.ending = generation

    def finish(self) -> None:
        """Tend it as the master does, until something has come of it."""
        before = len(self.accepted) + len(self.reasons)
        while len(self.accepted) + len(self.reasons) == before:
            poll = select.poll()
            for fd in self.reloader.descriptors():
                poll.register(fd, select.POLLIN)
            deadline_s = self.reloader.next_deadline_s
            assert deadline_s is not None
            poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000)
            self.reloader.tend()

    def bury(self, *generations: Generation | None) -> None:
        """Tend the workers until all have ended, as the master does."""
        watched = [each.workers for each in generations if each is not None]
        assert watched != []

        def ended() -> bool:
            for workers in watched:
                workers.tend()
            return not any(workers.alive for workers in watched)

        wait_until(ended, 10, "the workers have ended")
        assert children(os.getpid()) == self.parts.children


def refused(work: Work, parts: Parts) -> str:
    begun = Begun(work, parts)
    begun.finish()
    assert parts.listeners.open == {}
    begun.bury(begun.ending)
    [reason] = begun.reasons
    return reason


def serve(orders: socket.socket) -> int:
    orders.send(control.READY)
    return 0 if orders.recv(control.MAX_MESSAGE_BYTES) == control.STOP else 1


def test_workers_that_serve(parts: Parts) -> None:
    begun = Begun(serve, parts)
    begun.finish()
    [generation] = begun.accepted
    assert begun.reasons == []
    assert len(parts.listeners.open) == 1
    generation.workers.stop()
    begun.bury(generation)


def test_an_order_that_comes_meanwhile_is_followed_by_one_more_reload(parts: Parts) -> None:
    begun = Begun(serve, parts)
    for _ in range(2):
        begun.reloader.want()
    begun.finish()
    begun.finish()
    begun.reloader.tend()
    assert begun.reloader.next_deadline_s is None
    first, second = begun.accepted
    first.workers.stop()
    second.workers.stop()
    begun.bury(first, second)


def test_workers_that_end_before_they_serve(parts: Parts) -> None:
    assert "ended before it accepted" in refused(lambda _: 5, parts)


def test_workers_that_never_serve(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "BOOT_TIMEOUT_S", 0.2)

    def wait(orders: socket.socket) -> int:
        orders.recv(control.MAX_MESSAGE_BYTES)
        return 0

    assert "did not accept within 0.2 s" in refused(wait, parts)


def test_workers_that_cannot_be_forked(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Begun(serve, parts)
    fork, left = os.fork, [1]  # the second fork fails

    def fork_once() -> int:
        if not left:
            raise BlockingIOError(errno.EAGAIN, "no process left")
        left.pop()
        return fork()

    monkeypatch.setattr(os, "fork", fork_once)
    begun.finish()
    [reason] = begun.reasons
    assert "a process for worker 1 (fork(2): no process left)" in reason
    assert "pids.max" in reason
    assert parts.listeners.open == {}
    begun.bury(begun.ending)


def test_one_that_is_given_up_while_it_loads(parts: Parts) -> None:
    begun = Begun(serve, parts)
    begun.reloader.abandon("the test is over")
    assert (begun.reasons, begun.ending) == (["the test is over"], None)
    assert begun.reloader.generation is None
    assert children(os.getpid()) == parts.children
