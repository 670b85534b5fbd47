"""Log lines that anybody can cause at will: the first at once, others once a second, bounded."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from spliceproxy.loop import timers
from spliceproxy.loop.line_sums import MOST_CAUSES, LineSums
from spliceproxy.loop.timers import TimerWheel


class Sums:
    """A sum of lines whose time passes only when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, log: list[EventDict]) -> None:
        self.now_s = 1000.0
        self.log = log
        monkeypatch.setattr(timers, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        self.wheel = TimerWheel()
        self.sums = LineSums(self.wheel, route="web")

    def fail(self, backend: str, client: int, times: int = 1) -> None:
        for number in range(times):
            self.sums.warn("connect_failed", {"backend": backend}, last_client=client + number)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now_s += 0.1
            self.wheel.fire()

    @property
    def counts(self) -> list[int]:
        return [line["count"] for line in self.log]


@pytest.fixture
def it(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sums]:
    with capture_logs() as log:
        yield Sums(monkeypatch, log)


def test_the_first_line_is_told_at_once_and_the_others_of_a_second_together(it: Sums) -> None:
    it.fail("a:1", client=0, times=22_000)
    assert it.log == [
        {
            "event": "connect_failed",
            "log_level": "warning",
            "route": "web",
            "backend": "a:1",
            "count": 1,
            "last_client": 0,
        }
    ]
    it.pass_time(1.2)
    assert it.counts == [1, 21_999]
    assert it.log[1]["last_client"] == 21_999


def test_after_a_quiet_second_the_next_line_is_told_at_once(it: Sums) -> None:
    it.fail("a:1", client=0)
    it.pass_time(1.2)
    it.fail("a:1", client=1)
    assert it.counts == [1, 1]


def test_each_cause_is_told_apart(it: Sums) -> None:
    for backend in ("a:1", "b:1", "a:1", "b:1"):
        it.fail(backend, client=0)
    assert [(line["backend"], line["count"]) for line in it.log] == [("a:1", 1), ("b:1", 1)]


def test_causes_without_end_are_told_together(it: Sums) -> None:
    for number in range(10_000):
        it.fail(f"{number}:1", client=0)
    it.pass_time(1.2)
    assert len(it.log) == MOST_CAUSES + 2
    assert sum(it.counts) == 10_000
    assert it.log[-1]["causes"] == f"more than {MOST_CAUSES}"
    assert "backend" not in it.log[-1]
    assert it.log[-1]["route"] == "web"


def test_quiet_causes_make_room(it: Sums) -> None:
    for number in range(MOST_CAUSES):
        it.fail(f"{number}:1", client=0)
    it.pass_time(1.2)
    it.fail("another:1", client=0)
    assert it.log[-1]["backend"] == "another:1"


def test_at_the_end_nothing_is_untold_and_no_deadline_left(it: Sums) -> None:
    it.fail("a:1", client=0, times=3)
    it.sums.flush()
    it.sums.flush()
    assert it.counts == [1, 2]
    it.pass_time(1.2)
    assert it.counts == [1, 2]


def test_crashes_are_summed_by_their_place(it: Sums) -> None:
    for value in ("one", "two"):
        try:
            int(value)
        except ValueError as error:
            it.sums.crashed(error, last_client="c")
    it.sums.flush()
    assert it.counts == [1, 1]
    assert str(it.log[0]["error"]).startswith("ValueError at test_line_sums.py:")
    assert isinstance(it.log[1]["exc_info"], ValueError)
    assert it.log[0]["log_level"] == "error"
