"""A reload whose workers fail: nothing stays of it."""

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
from spliceproxy.master.loading import Loaded, Loading, ReloadRefused, load
from spliceproxy.master.open_listeners import OpenListeners
from spliceproxy.master.reload import Reload, Reloaded
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
        admin = AdminProcessKeeper([], table, logs, lambda: None)
        yield Parts(before, listeners, logs, WorkerSlots(table), admin)


def reload_with(work: Work, parts: Parts) -> Reload:
    """Begin a reload whose workers do this."""

    def be_worker(generation: Generation, assignment: Assignment) -> int:
        return work(assignment.orders)

    def make(loaded: Loaded, sockets: list[list[socket.socket]]) -> Generation:
        return make_generation(2, loaded, parts.logs, sockets, parts.slots, parts.admin, be_worker)

    loading = Loading(lambda: load(settings, InheritedSockets()), parts.logs, lambda: None)
    return Reload(loading, parts.listeners, make)


def finish(begun: Reload) -> Reloaded:
    while True:
        poll = select.poll()
        for fd in begun.descriptors():
            poll.register(fd, select.POLLIN)
        poll.poll(max(0.0, begun.next_deadline_s() - time.monotonic()) * 1000)
        done = begun.tend()
        if done is not None:
            return done


def bury(begun: Reload, parts: Parts) -> None:
    """Tend the workers until all have ended, as the master does."""
    workers = begun.generation.workers if begun.generation is not None else None
    assert workers is not None

    def ended() -> bool:
        workers.tend()
        return not workers.alive

    wait_until(ended, 10, "the workers have ended")
    assert children(os.getpid()) == parts.children


def refused(work: Work, parts: Parts) -> str:
    begun = reload_with(work, parts)
    with pytest.raises(ReloadRefused) as caught:
        finish(begun)
    assert parts.listeners.open == {}
    bury(begun, parts)
    return caught.value.reason


def serve(orders: socket.socket) -> int:
    orders.send(control.READY)
    return 0 if orders.recv(control.MAX_MESSAGE_BYTES) == control.STOP else 1


def test_workers_that_serve(parts: Parts) -> None:
    begun = reload_with(serve, parts)
    done = finish(begun)
    assert done.generation is begun.generation
    assert len(parts.listeners.open) == 1
    done.generation.workers.stop()
    bury(begun, parts)


def test_workers_that_end_before_they_serve(parts: Parts) -> None:
    assert "ended before it accepted" in refused(lambda _: 5, parts)


def test_workers_that_never_serve(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "BOOT_TIMEOUT_S", 0.2)

    def wait(orders: socket.socket) -> int:
        orders.recv(control.MAX_MESSAGE_BYTES)
        return 0

    assert "did not accept within 0.2 s" in refused(wait, parts)


def test_workers_that_cannot_be_forked(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = reload_with(serve, parts)
    fork, left = os.fork, [1]  # the second fork fails

    def fork_once() -> int:
        if not left:
            raise BlockingIOError("no process left")
        left.pop()
        return fork()

    monkeypatch.setattr(os, "fork", fork_once)
    with pytest.raises(ReloadRefused, match="no process left"):
        finish(begun)
    assert parts.listeners.open == {}
    bury(begun, parts)


def test_one_that_is_given_up_while_it_loads(parts: Parts) -> None:
    begun = reload_with(serve, parts)
    begun.abandon()
    assert begun.generation is None
    assert children(os.getpid()) == parts.children
