"""Rows of the shared table: who holds them, and when they are given back."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from structlog.testing import capture_logs

from spliceproxy.ipc.health_cells import backend_orders_row_name, health_row_name
from spliceproxy.ipc.rows import COUNT, CommonKind, Kind, row_name
from spliceproxy.ipc.shared_table import Row, SharedTable
from spliceproxy.ipc.table_memory import CELLS
from tests.ipc.tables import DAY_S, Clock, as_another_process_has_it, table_of


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def table(clock: Clock) -> Iterator[SharedTable]:
    for table in table_of(64):
        table.enter(0)
        yield table


def names(table: SharedTable) -> set[str]:
    return {row.name for row in table.rows()}


def test_a_row_is_kept_for_a_day_after_it_was_let_go(table: SharedTable, clock: Clock) -> None:
    row = table.claim("gone")
    stays = table.claim("stays")
    clock.go_on(3 * DAY_S)
    table.touch(0)
    table.reclaim()
    assert names(table) == {"gone", "stays"}, "somebody has them"
    del row
    for hours in range(24):
        table.touch(0)
        table.reclaim()
        assert names(table) == {"gone", "stays"}, f"after {hours} hours"
        clock.go_on(3600.0)
    table.touch(0)
    table.reclaim()
    assert names(table) == {"gone", "stays"}, (
        "it may have been held until just before the next touch"
    )
    clock.go_on(60.0)
    table.touch(0)
    table.reclaim()
    assert names(table) == {"stays"}
    assert stays.is_current


def test_who_has_its_cells_holds_a_row(table: SharedTable, clock: Clock) -> None:
    cells = table.claim("one").cells
    clock.go_on(1.0)
    table.touch(0)
    table.reclaim(kept_s=0.0)
    cells[0] = 7
    assert table.claim("one").cells is cells
    del cells
    clock.go_on(1.0)
    table.touch(0)
    table.reclaim(kept_s=0.0)
    assert names(table) == set()


def test_a_row_that_is_used_again_starts_at_zero(table: SharedTable, clock: Clock) -> None:
    reader = as_another_process_has_it(table)
    row = table.claim("old")
    row.cells[3], row.text = 7, "backend_refused"
    number = row.number
    stale = reader.find("old")
    assert stale is not None
    assert (stale.values()[3], stale.text) == (7, "backend_refused")
    del row
    clock.go_on(1.0)
    table.touch(0)
    table.reclaim(kept_s=0.0)
    new = table.claim("new")
    assert (new.number, list(new.cells), new.text) == (number, [0] * CELLS, "")
    new.cells[3], new.text = 9, "of another one"
    assert (stale.values(), stale.text) == ([0] * CELLS, ""), "they are another's"
    assert reader.find("old") is None
    found = reader.find("new")
    assert found is not None
    assert found.values()[3] == 9
    again = reader.claim("old")
    assert again.number != number
    assert list(again.cells) == [0] * CELLS


def test_nothing_is_given_back_that_a_living_process_may_hold(
    table: SharedTable, clock: Clock
) -> None:
    stopped = as_another_process_has_it(table)
    stopped.enter(1)
    row = stopped.claim("its own")
    clock.go_on(9 * DAY_S)  # and it never says what it holds, nor lets go of anything
    table.touch(0)
    table.reclaim()
    row.cells[0] = 7
    assert names(table) == {"its own"}
    table.leave(1)  # it has been killed: the master buries it
    table.reclaim()
    assert names(table) == set()


def test_a_killed_process_holds_nothing() -> None:
    script = """if True:
        import os, signal
        from spliceproxy.ipc.shared_table import *
        table = SharedTable(64)
        table.enter(0)
        ready, done = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            rows = [table.claim(f"row {number}") for number in range(9)]
            table.touch(0)
            os.write(ready[1], b"x")
            os.read(done[0], 1)
        os.read(ready[0], 1)
        table.reclaim(kept_s=0.0)
        print(len(table.rows()))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        table.leave(0)
        table.enter(1)
        table.reclaim(kept_s=0.0)
        print(len(table.rows()))
        """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "9\n0\n"


def test_nobody_waits_for_a_process_that_is_stopped_while_it_changes_rows() -> None:
    script = """if True:
        import os, signal
        from spliceproxy.ipc.shared_table import *
        table = SharedTable(64)
        table.enter(0)
        table.claim("gone")
        table.enter(0)
        ready = os.pipe()
        child = os.fork()
        if child == 0:
            with table.locked():
                os.write(ready[1], b"x")
                signal.pause()
        os.read(ready[0], 1)
        table.touch(0)
        table.reclaim(kept_s=0.0)
        print(len(table.rows()))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        table.touch(0)
        table.reclaim(kept_s=0.0)
        print(len(table.rows()))
        """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "1\n0\n"


@pytest.mark.parametrize("step", [1, 2])
def test_a_process_that_is_killed_while_it_takes_a_row_leaves_the_table_whole(
    table: SharedTable, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    memory, note, steps = table._memory, table._memory._note_change, []

    def die(number: int) -> None:
        steps.append(number)
        if len(steps) == step:
            raise KeyboardInterrupt
        note(number)

    with monkeypatch.context() as patch:
        patch.setattr(memory, "_note_change", die)
        with pytest.raises(KeyboardInterrupt):
            as_another_process_has_it(table).claim("half")
    whole, half = table.claim("whole"), table.claim("half")
    assert (half.is_current, whole.is_current) == (True, True)
    half.cells[0], whole.cells[0] = 1, 2
    for reader in (table, as_another_process_has_it(table)):
        assert {row.name: row.values()[0] for row in reader.rows()} == {"half": 1, "whole": 2}
        assert reader.use().rows == 2
    taken = [n for n in range(64) if memory.generations[n] % 2]
    assert len(taken) == 2


def test_a_name_that_has_moved_to_another_row_is_found_there(
    table: SharedTable, clock: Clock
) -> None:
    other = as_another_process_has_it(table)
    rows = [table.claim(f"row {number}") for number in range(5)]
    assert len(other.rows()) == 5
    for name in ("row 4", "row 1"):
        rows = [row for row in rows if row.name != name]
        clock.go_on(1.0)
        table.touch(0)
        table.reclaim(kept_s=0.0)
    moved = table.claim("row 4")
    assert moved.number == 1
    found = other.find("row 4")
    assert found is not None
    assert found.number == 1
    assert names(other) == {"row 0", "row 2", "row 3", "row 4"}


def test_what_other_slots_have_counted_stays_as_long_as_it_is_counted(
    table: SharedTable, clock: Clock
) -> None:
    kept = [
        row_name(Kind.BACKEND, 5, "web", "b:1"),
        row_name(Kind.FAILED, 6, "web", "b:1", "backend_refused"),
        row_name(Kind.ENDED, 5, "web", "closed"),
        row_name(Kind.DROPPED, 5, "web", "null:", "lag"),
        row_name(CommonKind.ATTACHMENT_NUMBERS),
    ]
    gone = [
        row_name(Kind.BACKEND, 5, "web", "b:2"),
        row_name(Kind.ROUTE, 0, "other"),
        row_name(Kind.MIRROR, 5, "web", "null:#2"),
        row_name(Kind.WORKER, 5),
        health_row_name("web", "b:1", "old rules"),
    ]
    for name in (*kept, *gone):
        table.claim(name).cells[COUNT] += 1
    holding = [
        table.claim(backend_orders_row_name("web", "b:1")),
        table.claim(row_name(Kind.ROUTE, 0, "web")),
        table.claim(row_name(CommonKind.MIRROR_ORDERS, "web", "null:")),
    ]
    clock.go_on(2 * DAY_S)
    table.touch(0)
    table.reclaim()
    assert names(table) == {*kept, *(row.name for row in holding)}


def test_a_table_that_is_nearly_full_gives_back_what_was_let_go_first(
    table: SharedTable, clock: Clock
) -> None:
    held = table.claim("held")
    for number in range(63):
        table.claim(f"row {number}")
        clock.go_on(1.0)
    table.touch(0)
    table.reclaim()
    assert names(table) == {"held", *(f"row {number}" for number in range(16, 63))}
    assert held.is_current


def test_a_table_that_is_full_of_rows_in_use_is_told_of_once(
    table: SharedTable, clock: Clock
) -> None:
    other = as_another_process_has_it(table)
    with capture_logs() as log:
        rows = [table.claim_or_private(f"row {number}") for number in range(64)]
        clock.go_on(2 * DAY_S)
        table.touch(0)
        table.reclaim()
        private = [one.claim_or_private("more") for one in (table, other) for _ in range(3)]
    assert all(row.is_shared and row.is_current for row in rows)
    assert not any(row.is_shared for row in private)
    assert [line["event"] for line in log] == ["shared_table_full"]
    assert table.use() == (64, 64, 6)
    del rows[0]
    clock.go_on(2 * DAY_S)
    table.touch(0)
    table.reclaim()
    assert table.claim_or_private("more").is_shared


def test_a_worker_is_heard_of_however_full_the_table_is() -> None:
    table = SharedTable(2, spare_rows=1)
    table.claim("one")
    table.claim("two")
    with capture_logs():
        assert not table.claim_or_private("three").is_shared
        assert table.claim_or_private(row_name(Kind.WORKER, 0)).is_shared
        assert not table.claim_or_private(row_name(Kind.WORKER, 1)).is_shared
    table.close()


def test_who_has_missed_many_changes_looks_at_all_rows(clock: Clock) -> None:
    for table in table_of(8):
        table.enter(0)
        late = as_another_process_has_it(table)
        assert late.rows() == []
        for number in range(5000):
            table.claim(f"row {number}")
            clock.go_on(1.0)
            table.touch(0)
            table.reclaim(kept_s=0.0)
        last = table.claim("last")
        assert names(late) == {"last"}
        assert table.use().rows == 1
        assert last.number < 8


class Processes(RuleBasedStateMachine):
    """Processes that claim and forget, are stopped and killed; each name has its own number."""

    processes = st.integers(0, 3)
    some_names = st.integers(1, 30)

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.clock = Clock(self.patch)
        self.master = SharedTable(12)
        self.tables: list[SharedTable] = []
        self.held: list[dict[int, Row]] = [{} for _ in range(4)]
        self.read: list[tuple[int, Row]] = []
        for holder in range(4):
            self.master.enter(holder)
            self.tables.append(as_another_process_has_it(self.master))

    @rule(process=processes, name=some_names)
    def claim(self, process: int, name: int) -> None:
        row = self.tables[process].claim_or_private(str(name))
        assert row.cells[0] in (0, name), "it is another's"
        row.cells[0] = name
        self.held[process][name] = row

    @rule(process=processes, name=some_names)
    def forget(self, process: int, name: int) -> None:
        self.held[process].pop(name, None)

    @rule(process=processes)
    def touch(self, process: int) -> None:
        self.clock.go_on(1.0)
        self.tables[process].touch(process)

    @rule(process=processes)
    def kill(self, process: int) -> None:
        self.held[process].clear()
        self.master.leave(process)
        self.clock.go_on(1.0)
        self.master.enter(process)
        self.tables[process] = as_another_process_has_it(self.master)

    @rule(kept_s=st.sampled_from([0.0, 5.0]))
    def reclaim(self, kept_s: float) -> None:
        self.master.reclaim(kept_s)

    @rule(process=processes, name=some_names)
    def find(self, process: int, name: int) -> None:
        row = self.tables[process].find(str(name))
        if row is not None:
            self.read.append((name, row))

    @precondition(lambda self: self.read)
    @rule()
    def look(self) -> None:
        for name, row in self.read:
            assert row.values()[0] in (0, name)

    @invariant()
    def what_is_held_stays(self) -> None:
        for held in self.held:
            for name, row in held.items():
                assert row.is_current
                assert row.cells[0] == name

    @invariant()
    def names_are_unique(self) -> None:
        memory = self.master._memory
        taken = [memory.name(n) for n in range(12) if memory.generations[n] % 2]
        assert len(taken) == len(set(taken))
        assert set(taken) == names(self.master)

    def teardown(self) -> None:
        self.held.clear()
        self.master.close()
        self.patch.undo()


TestProcesses = Processes.TestCase
TestProcesses.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
