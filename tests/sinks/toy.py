"""A kind of mirror that only tests know: it counts bytes, and remembers what it was asked.

All that there is of it stands here. If a test of it fails because something else does not know
it, then that something tells kinds apart, which only the kinds' own files and tables may do.
"""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from spliceproxy.errors import UsageProblem
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_kinds import table
from spliceproxy.settings.mirror_kinds.kind import MirrorKind, SinkSettings
from spliceproxy.settings.mirror_kinds.option import Option
from spliceproxy.sinks import kinds
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.sink import Medium, MirrorPeer, Sink
from tests.sinks.places import Place

TOY = "toy"


class ToyKind(MirrorKind):
    """`toy:NAME?unit=N`: counts under that name, in units of so many bytes."""

    name = TOY
    form = "toy:NAME"
    direction = "both"
    overflows = ("detach", "block")
    options = {"unit": Option("unit", int)}  # noqa: RUF012

    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        if not text.isalpha():
            raise ValueError("expected toy:NAME, as in toy:counter")
        return SinkSettings(text, own=options.pop("unit", 1))

    def write_options(self, mirror: MirrorSettings) -> dict[str, Any]:
        return {"unit": mirror.own}


class ToySink(Sink):
    """One count for all streams of a mirror."""

    descriptors = 0
    medium = Medium.DEVICE
    keeps_records = True
    counted: ClassVar[Counter[str]] = Counter()
    """Units by name, of mirrors that are closed."""
    records: ClassVar[list[dict[str, object]]] = []
    left_behind: ClassVar[list[str]] = []

    def __init__(
        self, settings: MirrorSettings, reactor: Reactor, disk: Disk, peer: MirrorPeer | None
    ) -> None:
        super().__init__(settings, reactor, disk, peer)
        self.fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self.count = 0

    @classmethod
    def check(cls, settings: MirrorSettings) -> None:
        if settings.target == "broken":
            raise UsageProblem(f"mirror {settings.text}: the toy is broken", "buy another")

    @classmethod
    def report_left_behind(cls, settings: MirrorSettings) -> None:
        cls.left_behind.append(settings.target)

    def make_outlet(self, branch: Branch, name: str) -> Outlet:
        return ToyOutlet(branch, self)

    def write_record(
        self, name: str, record: dict[str, object], done: Callable[[OSError | None], None]
    ) -> None:
        self.records.append(record)
        done(None)

    def close(self) -> None:
        os.close(self.fd)
        self.counted[self.settings.target] += self.count // self.settings.own


class ToyOutlet(Outlet):
    """Is not ready before it is started."""

    def __init__(self, branch: Branch, sink: ToySink) -> None:
        self._branch = branch
        self._sink = sink
        self._started = False

    def start(self) -> None:
        self._started = True
        self._branch.opened()

    def flush(self) -> None:
        assert self._started
        queue = self._branch.queue
        while queue:
            count = queue[0].write_to(self._sink.fd)
            if not queue[0].size:
                queue.popleft().discard()
            self._sink.count += count
            self._branch.delivered(count)

    def finish(self, *, clean: bool) -> None:
        self._branch.closed()

    def cut(self) -> None:
        self._branch.closed()


class ToyPlace(Place):
    """The toy, of which nothing is seen but the count."""

    text = "toy:counter"

    async def received(self) -> bytes | None:
        return None


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the toy as a kind of mirror like any other, for one test."""
    monkeypatch.setitem(table.KINDS, TOY, ToyKind())
    monkeypatch.setitem(kinds.SINKS, TOY, ToySink)
    monkeypatch.setattr(ToySink, "counted", Counter())
    monkeypatch.setattr(ToySink, "records", [])
    monkeypatch.setattr(ToySink, "left_behind", [])
