"""A worker's line to the admin process: made before the worker is forked, or there is no worker."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from spliceproxy.admin.guard import Guard
from spliceproxy.admin.server import Door
from spliceproxy.errors import StartProblem
from spliceproxy.ipc import control
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.master import admin_process_keeper
from spliceproxy.master.admin_process_keeper import AdminProcessKeeper
from spliceproxy.master.workers import Assignment, Workers
from spliceproxy.observe.logs import Logs
from spliceproxy.settings.log import AccessLogSettings, LogSettings
from spliceproxy.settings.log_destination import LogDestination
from tests.descriptors import open_descriptors
from tests.e2e.processes import wait_until


@pytest.fixture
def slots() -> Iterator[WorkerSlots]:
    with closing(SharedTable(10)) as table:
        yield WorkerSlots(table)


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[AdminProcessKeeper]:
    """One that has a door, and has not been told to start its process yet."""
    log = LogSettings(to=LogDestination("file", path=str(tmp_path / "log")))
    with (
        closing(SharedTable(10)) as table,
        closing(Logs(log, AccessLogSettings())) as logs,
        socket.socket() as sock,
    ):
        door = Door(sock, Guard())
        yield AdminProcessKeeper([door], table, logs, lambda: None, lambda: None)


def test_without_a_line_no_slot_is_taken(
    slots: WorkerSlots, keeper: AdminProcessKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_line() -> tuple[socket.socket, socket.socket]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = open_descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(admin_process_keeper, "make_line", no_line)
        for _ in range(3):
            with pytest.raises(StartProblem, match="Too many open files"):
                Workers(1, 1, slots, keeper, lambda _: 0).start()
    assert open_descriptors() == before
    assert slots.take() == 0, "rows are few, however often a worker could not be started"


def test_a_worker_has_the_other_end_alone(slots: WorkerSlots, keeper: AdminProcessKeeper) -> None:
    def answer(assignment: Assignment) -> int:
        assert assignment.admin_line is not None
        keeper.forget()
        assignment.admin_line.send(b"%d" % assignment.slot)
        assignment.orders.send(control.READY)
        assignment.orders.recv(control.MAX_MESSAGE_BYTES)
        return 0

    before = open_descriptors()
    workers = Workers(1, 2, slots, keeper, answer)
    workers.start()
    lines = dict(keeper._lines)
    for slot, line in lines.items():
        line.setblocking(True)
        assert line.recv(10) == b"%d" % slot
    workers.stop()
    assert [line.recv(10) for line in lines.values()] == [b"", b""], "nobody else has that end"

    def ended() -> bool:
        workers.tend()
        return not workers.alive

    wait_until(ended, 10, "the workers have ended")
    assert open_descriptors() == before
