"""Deadlines: never early, a small part of their delay late, and cheap to forget."""

import time
from types import SimpleNamespace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.loop import timers
from spliceproxy.loop.timers import TimerWheel

FINEST_S = 0.010


class Recorder:
    """A waiter that keeps the time at which it was called."""

    def __init__(self, clock: "Clock | None" = None, error: Exception | None = None) -> None:
        self._clock = clock
        self._error = error
        self.called_s: list[float] = []
        self.crashes: list[Exception] = []

    def on_deadline(self) -> None:
        self.called_s.append(self._clock.now_s if self._clock else time.monotonic())
        if self._error is not None:
            raise self._error

    def on_crash(self, error: Exception) -> None:
        self.crashes.append(error)


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def monotonic(self) -> float:
        return self.now_s

    def run(self, wheel: TimerWheel, seconds: float, step_s: float = FINEST_S) -> None:
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            wheel.fire()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timers, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


@given(delay_s=st.floats(0, 10_000), now_s=st.floats(0, 1e9))
def test_a_deadline_is_met_never_early_and_a_little_late(delay_s: float, now_s: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(now_s)
        patch.setattr(timers, "time", clock)
        wheel, waiter = TimerWheel(), Recorder(clock)
        wheel.after(delay_s, waiter)
        clock.now_s = now_s + delay_s * 0.999 - 1e-5
        wheel.fire()
        assert not waiter.called_s
        # One slot: a 16th of the delay at most, or the finest slot there is.
        clock.now_s = now_s + delay_s + max(FINEST_S, delay_s / 16) + 1e-5
        wheel.fire()
        assert len(waiter.called_s) == 1


def test_each_deadline_is_met_once(clock: Clock) -> None:
    wheel = TimerWheel()
    waiters = [Recorder(clock) for _ in range(100)]
    for number, waiter in enumerate(waiters):
        wheel.after(number * 0.01, waiter)
    clock.run(wheel, 3)
    assert [len(waiter.called_s) for waiter in waiters] == [1] * 100


def test_deadlines_of_all_lengths_are_met_in_order(clock: Clock) -> None:
    wheel = TimerWheel()
    delays_s = [3600.0, 0.02, 5.0, 0.3, 60.0, 1.0]
    waiters = {delay_s: Recorder(clock) for delay_s in delays_s}
    for delay_s, waiter in waiters.items():
        wheel.after(delay_s, waiter)
    clock.run(wheel, 4000, step_s=0.05)
    called_s = [waiters[delay_s].called_s[0] for delay_s in sorted(delays_s)]
    assert called_s == sorted(called_s)


def test_a_cancelled_deadline_is_forgotten(clock: Clock) -> None:
    wheel, waiter, other = TimerWheel(), Recorder(clock), Recorder(clock)
    timer = wheel.after(0.1, waiter)
    wheel.after(0.1, other)
    timer.cancel()
    timer.cancel()
    clock.run(wheel, 1)
    assert (len(waiter.called_s), len(other.called_s)) == (0, 1)


def test_cancelling_a_deadline_that_was_met_does_nothing(clock: Clock) -> None:
    wheel, waiter = TimerWheel(), Recorder(clock)
    timer = wheel.after(0.1, waiter)
    clock.run(wheel, 1)
    timer.cancel()
    assert len(waiter.called_s) == 1


def test_waiters_may_set_and_cancel_deadlines(clock: Clock) -> None:
    wheel, late, doomed = TimerWheel(), Recorder(clock), Recorder(clock)
    doomed_timer = wheel.after(0.1, doomed)

    class Setter(Recorder):
        def on_deadline(self) -> None:
            doomed_timer.cancel()
            wheel.after(0.1, late)

    wheel.after(0.1, Setter(clock))  # in the same slot, and called before the older one
    clock.run(wheel, 1)
    assert (len(late.called_s), len(doomed.called_s)) == (1, 0)


def test_a_waiter_that_fails_is_told_and_alone(clock: Clock) -> None:
    wheel, error = TimerWheel(), RuntimeError("a fault that nobody foresaw")
    failing, other = Recorder(clock, error), Recorder(clock)
    wheel.after(0.1, failing)
    wheel.after(0.1, other)
    clock.run(wheel, 1)
    assert failing.crashes == [error]
    assert len(other.called_s) == 1


def test_thousands_of_deadlines_need_few_slots(clock: Clock) -> None:
    wheel = TimerWheel()
    for _ in range(10_000):
        clock.now_s += 0.001
        wheel.after(3600, Recorder(clock)).cancel()
    assert len(wheel._slots) <= 3


async def test_sleeping_ends_at_a_deadline_that_is_set_meanwhile() -> None:
    wheel, waiter = TimerWheel(), Recorder()
    wheel.after(3600, Recorder())
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wheel.sleep)
            await trio.testing.wait_all_tasks_blocked()
            started_s = time.monotonic()
            wheel.after(0.05, waiter)
        assert time.monotonic() - started_s < 10
        await wheel.sleep()
        wheel.fire()
        assert len(waiter.called_s) == 1
        assert waiter.called_s[0] - started_s >= 0.05


async def test_sleeping_with_nothing_to_wait_for_is_for_ever() -> None:
    wheel = TimerWheel()
    timer = wheel.after(0.05, Recorder())
    timer.cancel()
    with trio.move_on_after(0.2) as scope:
        await wheel.sleep()
    assert scope.cancelled_caught
