"""The soak itself: load and trouble, a rest, more of both, a rest; and what to make of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import trio

from tools.bench.tables import Table
from tools.soak import audit_files, books, figures, reading, tables
from tools.soak.books import Books
from tools.soak.errors import SoakError
from tools.soak.figures import Figure
from tools.soak.load import Load
from tools.soak.proxy import Proxy, proxy, wait_started
from tools.soak.reading import Reading
from tools.soak.setting import Setting, setting
from tools.soak.trouble import Tempo, Trouble, undo

REST_HEADS = ("after a quarter", "at the end")
WAYS_HEADS = ("one", "other")
Readings = dict[str, Reading]
"""By the name of the proxy."""
WARM_UP_SHARE = 0.25
"""Of the time, before what is used is read for the first time."""
LONGEST_RELOAD_DRAIN_S = 12.0


@dataclass
class Result:
    """What came of a soak."""

    tables: list[Table] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What may happen, and whoever looks into the run wants to know."""


@dataclass
class Soak:
    """One run."""

    setting: Setting
    proxies: Sequence[Proxy]
    seconds: float
    seed: int

    def __post_init__(self) -> None:
        self._load = Load([one.front for one in self.proxies], self.seed)
        self._trouble = Trouble(self.setting, self.proxies, Tempo.within(self.seconds), self.seed)
        self._result = Result()

    async def run(self) -> Result:
        """Load, make trouble, rest, and compare.

        Raises:
            SoakError: a proxy ended, or did not start.
            BenchError: another program did not start.
        """
        await self._start()
        await self._storm(self.seconds * WARM_UP_SHARE)
        before = await self._rest("first rest")
        await self._storm(self.seconds * (1 - WARM_UP_SHARE))
        after = await self._rest("last rest")
        await self._stop()
        self._compare(before, after)
        self._tell_done()
        return self._result

    async def _start(self) -> None:
        await self.setting.start()
        for one in self.proxies:
            await wait_started(one)

    async def _storm(self, seconds: float) -> None:
        _say(f"load and trouble for {seconds:.0f} s")
        stopping = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._load.run, stopping)
            nursery.start_soon(self._trouble.run, stopping)
            for _ in range(math.ceil(seconds)):
                await trio.sleep(seconds / math.ceil(seconds))
                for one in self.proxies:
                    if one.child.process.poll() is not None:
                        raise SoakError(f"{one.name} ended: {one.child.last_words()}")
            stopping.set()

    async def _rest(self, name: str) -> Readings:
        _say(f"{name}, after {len(self._load.visits):,} connections")
        await undo(self.setting, self.proxies)
        for one in self.proxies:
            if unrest := await reading.wait_rest(one):
                self._result.faults.append(f"{one.name}, {name}: not over: {unrest}")
        return {one.name: await reading.read(one) for one in self.proxies}

    def _compare(self, before: Readings, after: Readings) -> None:
        used, sums, kinds = {}, {}, {}
        for one in self.proxies:
            old, new = before[one.name], after[one.name]
            kept = books.keep(one, self._load.visits, self._trouble.backend_kills)
            used[one.name] = [
                *figures.at_rest(one, old, new),
                *figures.counters(old.status, new.status),
            ]
            sums[one.name] = [*kept.figures(new.status), audit_files.compare(one.files)]
            kinds[one.name] = kept.kinds
            self._tell_faults(kept, [*used[one.name], *sums[one.name]])
        self._result.tables += [
            tables.figures_table("what is used at rest", REST_HEADS, used),
            tables.figures_table("the same number by two ways", WAYS_HEADS, sums),
            tables.connections_table(kinds),
        ]

    def _tell_faults(self, kept: Books, found: Sequence[Figure]) -> None:
        name = kept.proxy.name
        self._result.faults += [f"{name}: {one.name}: {one.fault}" for one in found if one.fault]
        examples = {**kept.examples, **kept.lines.example}
        self._result.faults += [
            f"{name}: {fault} ({count}), for example {examples[fault]}"
            for fault, count in (kept.faults + kept.lines.faults).items()
        ]

    def _tell_done(self) -> None:
        refused = {f"orders that {one.name} refused": len(one.refusals) for one in self.proxies}
        self._result.tables.append(tables.done_table({**self._trouble.done, **refused}))
        for one in self.proxies:
            self._result.notes += [f"{one.name} has refused {why}" for why in one.refusals]
            self._result.faults += [f"{one.name}: {fault}" for fault in one.faults]
        for backend in self.setting.backends:
            self._result.faults += [f"{backend.name}: {line}" for line in backend.said()]

    async def _stop(self) -> None:
        for one in self.proxies:
            fault = await trio.to_thread.run_sync(one.stop)
            output = one.child.output.read_text(errors="replace").strip()
            self._result.faults += [f"{one.name}: {why}" for why in (fault, output) if why]


def _say(what: str) -> None:
    print(f"soak: {what}", file=sys.stderr, flush=True)


async def soak(seconds: float, seed: int, directory: Path) -> Result:
    """Run a soak with all its programs, which end with it; see `Soak.run`."""
    drain_s = min(LONGEST_RELOAD_DRAIN_S, seconds / 4)
    with ExitStack() as running:
        around = running.enter_context(setting(directory))
        proxies = [
            running.enter_context(proxy(name, around, drain_s, is_shaken=is_shaken))
            for name, is_shaken in (("steady", False), ("shaken", True))
        ]
        return await Soak(around, proxies, seconds, seed).run()
