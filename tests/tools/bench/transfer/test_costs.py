"""Context switches, page faults and cache misses are counted, where the machine counts them."""

import errno
import mmap
import time
from contextlib import closing

import pytest

from tests.tools.bench.transfer.made import result, results
from tools.bench.transfer import cache_misses, pipes, report
from tools.bench.transfer.cache_misses import PAGE_FAULTS, EventCounter
from tools.bench.transfer.trial import CACHE_MISSES, CPU, FAULTS, SWITCHES, Clock


def touch_pages(count: int) -> None:
    with mmap.mmap(-1, count * mmap.PAGESIZE) as memory:
        for number in range(count):
            memory[number * mmap.PAGESIZE] = 1


def test_faults_and_switches_are_told_per_gigabyte() -> None:
    clock = Clock()
    touch_pages(500)
    for _number in range(20):
        time.sleep(0.001)
    sample = clock.sample(500_000_000)
    assert sample[FAULTS.name] >= 1000
    assert sample[SWITCHES.name] >= 40
    assert CACHE_MISSES.name not in sample


def test_events_are_counted_by_the_kernel() -> None:
    try:
        counter = EventCounter(PAGE_FAULTS)
    except OSError as error:
        pytest.skip(f"perf_event_open(2) is refused: {error}")
    with closing(counter):
        before = counter.read()
        touch_pages(500)
        assert counter.read() - before >= 500
        clock = Clock(counter)
        touch_pages(500)
        assert clock.sample(1_000_000_000)[CACHE_MISSES.name] >= 500


def test_a_machine_without_the_counter_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_misses, "_PERF_EVENT_OPEN", {})
    assert cache_misses.why_not_counted() == "perf_event_open(2): ENOSYS"
    assert cache_misses.open_counter() is None


def test_this_machine_has_the_counter_or_a_reason() -> None:
    counter = cache_misses.open_counter()
    if counter is None:
        name = cache_misses.why_not_counted().rpartition(" ")[2]
        assert hasattr(errno, name)
    else:
        with closing(counter):
            assert cache_misses.why_not_counted() == ""
            touch_pages(5000)
            assert counter.read() > 0


def test_a_column_without_figures_is_left_out() -> None:
    made = next(trial for trial in pipes.trials() if trial.name == pipes.FILE)
    measured = result(made, {"64 KiB": [{CPU.name: 0.1, FAULTS.name: 3.0}]})
    text = report.as_text(results(measured))
    assert FAULTS.title in text
    assert CACHE_MISSES.title not in text
