"""When a worker is taken for hung, by a clock that the test turns."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any, cast

import pytest

from spliceproxy.ipc.rows import Kind, WorkerCell
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.kernel.child_end import ChildEnd
from spliceproxy.kernel.process_state import RUNNING, STOPPED, TRACED, ProcessState
from spliceproxy.master import hang_watch
from spliceproxy.master.child import Child
from spliceproxy.master.generation import Generation
from spliceproxy.observe.tally import Tally

TIMEOUT_S = 5.0


class Watched:
    """One worker, and whoever watches it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, table: SharedTable) -> None:
        self.now_s = 100.0
        self.timeout_s = TIMEOUT_S
        self.state = ProcessState(RUNNING, 0.0)
        self.given_up: list[float] = []
        slots = WorkerSlots(table)
        ours, theirs = socket.socketpair()
        theirs.close()
        self.child = Child(0, os.getpid(), ChildEnd(), ours, slots.take())
        self._cells = Tally(table, 0).cells(Kind.WORKER)
        monkeypatch.setattr(hang_watch, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        monkeypatch.setattr(hang_watch, "read_state", lambda _pid: self.state)
        monkeypatch.setattr(hang_watch, "give_up", self._note)
        self._watch = hang_watch.HangWatch(slots)

    def _note(self, _generation: object, child: Child, silent_s: float) -> None:
        child.hung = True
        self.given_up.append(silent_s)

    def pass_s(self, seconds: float, *, cpu_s: float = 0.0, beats: bool = False) -> None:
        """Let time pass, then look."""
        self.now_s += seconds
        self.state = ProcessState(self.state.letter, self.state.cpu_s + cpu_s)
        if beats:
            self._cells[WorkerCell.HEARTBEAT_US] += 1_000_000
        settings = SimpleNamespace(hang_timeout_s=self.timeout_s)
        workers = SimpleNamespace(children=[self.child])
        generation: Any = SimpleNamespace(settings=settings, workers=workers)
        self._watch.tend([cast(Generation, generation)])


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    with closing(SharedTable(10)) as table:
        watched = Watched(monkeypatch, table)
        yield watched
        watched.child.orders.close()


def test_a_heart_that_beats(watched: Watched) -> None:
    for _ in range(30):
        watched.pass_s(1, cpu_s=1, beats=True)
    assert watched.given_up == []


def test_a_worker_that_spins_is_given_up_once(watched: Watched) -> None:
    watched.pass_s(1, beats=True)
    for _ in range(4):
        watched.pass_s(1, cpu_s=1)
    assert watched.given_up == []
    for _ in range(5):
        watched.pass_s(1, cpu_s=1)
    assert watched.given_up == [5.0]


def test_a_worker_that_is_stopped(watched: Watched) -> None:
    watched.state = ProcessState(STOPPED, 0.0)
    for _ in range(7):
        watched.pass_s(1)
    assert watched.given_up == [5.0]


def test_one_that_gets_no_processor_has_not_hung(watched: Watched) -> None:
    for _ in range(30):
        watched.pass_s(1, cpu_s=0.01)
    assert watched.given_up == []
    for _ in range(30):
        watched.pass_s(1, cpu_s=0.01)
    assert watched.given_up != [], "half a second in a minute, and no heartbeat: it has had time"


def test_one_that_a_debugger_holds(watched: Watched) -> None:
    watched.state = ProcessState(TRACED, 0.0)
    for _ in range(30):
        watched.pass_s(1)
    assert watched.given_up == []


def test_a_watch_that_was_suspended_itself_starts_anew(watched: Watched) -> None:
    watched.state = ProcessState(STOPPED, 0.0)
    watched.pass_s(1)
    watched.pass_s(3600)
    watched.pass_s(3600)
    assert watched.given_up == []
    for _ in range(5):
        watched.pass_s(1)
    assert watched.given_up == [5.0]


def test_no_timeout(watched: Watched) -> None:
    watched.timeout_s = 0.0
    for _ in range(30):
        watched.pass_s(1, cpu_s=1)
    assert watched.given_up == []
