"""What all workers have together: counts, and token buckets."""

import os
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from spliceproxy.ipc.rows import CommonKind
from spliceproxy.ipc.shared_count import SLOTS_OF_ROW, SharedCount
from spliceproxy.ipc.shared_meter import SharedMeter
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots


@pytest.fixture
def table() -> Iterator[SharedTable]:
    with closing(SharedTable(100)) as table:
        yield table


@pytest.fixture
def slots(table: SharedTable) -> WorkerSlots:
    return WorkerSlots(table)


def count(table: SharedTable, slot: int, name: str = "web") -> SharedCount:
    return SharedCount(table, slot, CommonKind.COUNT, ("places", name))


def test_the_sum_of_what_workers_have(table: SharedTable, slots: WorkerSlots) -> None:
    first, second = count(table, slots.take()), count(table, slots.take())
    other_route = count(table, 0, "other")
    first.own += 3
    second.own += 4
    assert (first.total(), second.total(), other_route.total()) == (7, 7, 0)
    assert (first.others(), second.of_others()) == (4, [3])
    first.own -= 1
    assert second.total() == 6


def test_workers_that_come_later_count_too(table: SharedTable, slots: WorkerSlots) -> None:
    first = count(table, slots.take())
    assert first.total() == 0
    for number in range(1, 2 * SLOTS_OF_ROW + 2):
        late = count(table, slots.take())
        late.own = 1
        assert first.total() == late.total() == number
    assert sum(late.of_others()) == late.total() - 1


def test_nothing_is_left_of_a_worker_that_has_ended(table: SharedTable, slots: WorkerSlots) -> None:
    counts = [count(table, slots.take()) for _ in range(SLOTS_OF_ROW + 1)]
    for each in counts:
        each.own = 5
    slots.free(1)
    slots.free(SLOTS_OF_ROW)
    assert counts[0].total() == 5 * (len(counts) - 2)
    assert count(table, slots.take()).own == 0


def test_another_process_sees_it(table: SharedTable, slots: WorkerSlots) -> None:
    ours, slot = count(table, slots.take()), slots.take()
    pid = os.fork()
    if not pid:
        count(table, slot).own = 9
        os._exit(0)
    os.waitpid(pid, 0)
    assert ours.total() == 9


def test_a_full_table_counts_alone_and_says_so() -> None:
    with closing(SharedTable(0)) as table, capture_logs() as log:
        one, other = count(table, 0), count(table, 1)
        one.own = 2
        assert (one.total(), other.total()) == (2, 0)
    assert "limit_not_shared" in {line["event"] for line in log}


def test_a_bucket_that_several_take_from(table: SharedTable, slots: WorkerSlots) -> None:
    meters = [SharedMeter(table, slots.take(), "rate", "web") for _ in range(3)]
    now_s = time.monotonic()
    for meter in meters:
        meter.take(0.5, now_s)
    assert [meter.full_s() - now_s for meter in meters] == pytest.approx([1.5] * 3)
    meters[0].take(-0.5, now_s)
    assert meters[2].full_s() - now_s == pytest.approx(1.0)


def test_a_pause_saves_up_nothing(table: SharedTable, slots: WorkerSlots) -> None:
    one, other = (SharedMeter(table, slots.take(), "rate", "web") for _ in range(2))
    now_s = time.monotonic()
    one.take(5.0, now_s)
    other.take(0.25, now_s + 100)
    assert one.full_s() - now_s == pytest.approx(100.25)


def test_what_a_dead_worker_has_let_through_counts_on(
    table: SharedTable, slots: WorkerSlots
) -> None:
    one, other = (SharedMeter(table, slots.take(), "rate", "web") for _ in range(2))
    now_s = time.monotonic()
    other.take(7.0, now_s)
    slots.free(1)
    assert one.full_s() - now_s == pytest.approx(7.0)


def test_those_who_take_at_the_same_moment_both_count(
    table: SharedTable, slots: WorkerSlots
) -> None:
    """Each has looked before the other wrote: the next look has it all."""
    one, other = (SharedMeter(table, slots.take(), "rate", "web") for _ in range(2))
    now_s = time.monotonic()
    one.take(1.0, now_s)
    seen = [one.full_s(), other.full_s()]
    one.take(1.0, now_s)
    other.take(1.0, now_s)
    assert seen == pytest.approx([now_s + 1] * 2)
    assert one.full_s() == pytest.approx(now_s + 3)
