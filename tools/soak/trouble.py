"""The trouble that a soak makes, each kind in a task of its own until it is to end.

Backends have trouble one at a time, so that each route has one that works at any moment, and no
client has to be turned away.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from spliceproxy.errors import AskingProblem
from spliceproxy.observe.status import MIRROR_STATES
from tools.soak.programs import Program
from tools.soak.proxy import Proxy, Status
from tools.soak.routes import ALWAYS_LISTED, TURNS
from tools.soak.setting import BACKENDS, Setting

AWAY_S = 2.0
"""So long a server is dead or stands still."""
MOST_UP_S = 60.0
WORKERS_KNOW_S = 0.5
"""Workers look twice in that time at what is ordered, and at what checks have found."""
_LOOK_S = 0.2
YOUNGEST_VICTIM_S = 1.0
"""A worker that has just been started may be part of a reload, which would then be refused."""


@dataclass(frozen=True)
class Tempo:
    """Seconds from one trouble of a kind to the next."""

    reload_s: float = 5.0
    kill_s: float = 30.0
    backend_s: float = 8.0
    sink_s: float = 7.0
    mirror_s: float = 3.0
    names_s: float = 3.0

    @classmethod
    def within(cls, seconds: float) -> Tempo:
        """Return the usual one; a faster one where a kind would hardly come up."""
        usual = cls()
        most_s = seconds / 5
        return cls(**{name: min(pause_s, most_s) for name, pause_s in vars(usual).items()})


@dataclass(frozen=True)
class BackendKill:
    """A backend that was killed, and when: seconds since 1970."""

    address: str
    at: float


@dataclass
class Trouble:
    """Makes trouble for some proxies and for what stands around them; notes what it has done."""

    setting: Setting
    proxies: Sequence[Proxy]
    tempo: Tempo
    seed: int
    backend_kills: list[BackendKill] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    """How often, by what was done."""

    def _count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    async def run(self, stopping: trio.Event) -> None:
        """Make trouble until it is to end, and undo then what would be in the way of a rest."""
        async with trio.open_nursery() as nursery:

            def start(
                name: str, pause_s: float, do: Callable[[random.Random], Awaitable[None]]
            ) -> None:
                rng = random.Random(f"{self.seed} {name}")  # noqa: S311
                nursery.start_soon(_every, pause_s, do, rng, stopping)

            start("backends", self.tempo.backend_s, self._trouble_backend)
            start("sinks", self.tempo.sink_s, self._trouble_sink)
            start("names", self.tempo.names_s, self._change_names)
            for proxy in self.proxies:
                own = _ProxyTrouble(proxy, self.setting, self._count)
                start(f"mirrors {proxy.name}", self.tempo.mirror_s, own.change_mirrors)
                if proxy.is_shaken:
                    start("reloads", self.tempo.reload_s, own.reload)
                    start("kills", self.tempo.kill_s, own.kill_worker)

    async def _trouble_backend(self, rng: random.Random) -> None:
        backend = rng.choice(self.setting.backends)
        if rng.random() < 0.5:
            self.backend_kills.append(BackendKill(str(backend.address), time.time()))
            self._count("backends killed")
            await _restart(backend)
        else:
            self._count("backends drained")
            backend = rng.choice(self.setting.backends[:ALWAYS_LISTED])
            await self._order_backend(backend, rng.choice(("drain", "disabled")))
            await trio.sleep(AWAY_S)
            await self._order_backend(backend, "up")
        # Before it is known to be back no other one may go.
        for proxy in self.proxies:
            await _wait_up(proxy, str(backend.address))

    async def _order_backend(self, backend: Program, state: str) -> None:
        for proxy in self.proxies:
            await proxy.order(
                "/api/backends/set", route="pool", backend=str(backend.address), state=state
            )

    async def _trouble_sink(self, rng: random.Random) -> None:
        if rng.random() < 0.5:
            self._count("sinks killed")
            await _restart(self.setting.dying_sink)
            return
        self._count("sinks stalled")
        self.setting.stalling_sink.pause()
        await trio.sleep(AWAY_S)
        self.setting.stalling_sink.resume()

    async def _change_names(self, rng: random.Random) -> None:
        self._count("DNS answers changed")
        self.setting.list_backends(rng.sample(range(BACKENDS), rng.choice((2, 2, 3))))


async def _every(
    pause_s: float,
    do: Callable[[random.Random], Awaitable[None]],
    rng: random.Random,
    stopping: trio.Event,
) -> None:
    """Do something in this rhythm, until it is to end; what has begun is brought to its end."""
    next_s = trio.current_time()
    while True:
        next_s = max(next_s + pause_s, trio.current_time())
        with trio.move_on_at(next_s):
            await stopping.wait()
        if stopping.is_set():
            return
        await do(rng)


async def _wait_up(proxy: Proxy, backend: str) -> None:
    """Wait until a proxy gives a backend connections again, and all its workers know it."""
    with trio.move_on_after(MOST_UP_S):
        while True:
            with suppress(AskingProblem):
                if _is_up(await proxy.status(), backend):
                    break
            await trio.sleep(_LOOK_S)
        await trio.sleep(WORKERS_KNOW_S)
        return
    proxy.faults.append(f"{backend} is not up again after {MOST_UP_S:.0f} s")


def _is_up(status: Status, backend: str) -> bool:
    states = [
        one["state"]
        for route in status["routes"]
        for one in route["backends"]
        if route["name"] == "pool" and one["name"] == backend
    ]
    return all(state == "up" for state in states)


async def _restart(program: Program) -> None:
    await program.kill()
    await trio.sleep(AWAY_S)
    await program.start()


@dataclass
class _ProxyTrouble:
    """Trouble for one proxy."""

    proxy: Proxy
    setting: Setting
    count: Callable[[str], None]
    attached: list[int] = field(default_factory=list)

    async def reload(self, _rng: random.Random) -> None:
        self.count("reloads")
        self.proxy.turn += 1
        await self.proxy.reload(self.proxy.turn)

    async def kill_worker(self, rng: random.Random) -> None:
        with suppress(AskingProblem):
            status = await self.proxy.status()
            if victims := _victims(status):
                self.count("workers killed")
                self.proxy.kills.append(time.time())
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(victims), signal.SIGKILL)

    async def change_mirrors(self, rng: random.Random) -> None:
        """Attach one, detach one, or change one of the configuration."""
        match rng.randrange(4):
            case 0:
                await self._set(rng)
            case 1 if self.attached:
                self.count("mirrors detached")
                await self.proxy.order("/api/mirrors/detach", id=self.attached.pop(0))
            case _:
                await self._attach(rng)

    async def _set(self, rng: random.Random) -> None:
        self.count("mirrors switched")
        mirror = f"tcp://{self.setting.stalling_sink.address}"
        given = rng.choice(({"state": "off", "now": True}, {"sample": "50%"}))
        for order in (given, {"state": "on", "sample": "configured"}):
            await self.proxy.order("/api/mirrors/set", route="copied", mirror=mirror, **order)
            await trio.sleep(AWAY_S / 2)

    async def _attach(self, rng: random.Random) -> None:
        self.count("mirrors attached")
        to = rng.choice(
            (
                f"file:{self.proxy.files.looks}?overflow=gap",
                f"tcp://{self.setting.steady_sink.address}",
                f"tcp://{self.setting.dying_sink.address}?overflow=spill",
                "null:",
                "exec:cat?max_processes=4",
            )
        )
        where = await self._selection(rng)
        done = await self.proxy.order(
            "/api/mirrors/attach", to=to, bytes="1MiB", **{"for": "20s"}, **where
        )
        if done is not None:
            self.proxy.attached += 1
            self.attached.append(done["id"])
            del self.attached[:-3]  # the others end by their time

    async def _selection(self, rng: random.Random) -> dict[str, str]:
        """Return what is to be copied: new connections of a route, or a live one."""
        if rng.random() < 0.5:
            with suppress(AskingProblem):
                found = (await self.proxy.ask("/api/connections", limit="20"))["found"]
                if found:
                    return {"connection": rng.choice(found)["number"]}
        return {"route": rng.choice(("pool", "named", "copied"))}


async def undo(setting: Setting, proxies: Sequence[Proxy]) -> None:
    """Take back what would be in the way of a rest, and bring all to the state of the start."""
    setting.list_backends(range(BACKENDS))
    for proxy in proxies:
        # Before a reload: new workers learn of what is attached a little later.
        for attached in (await proxy.ask("/api/mirrors/attached"))["found"]:
            if attached["state"] in MIRROR_STATES:
                await proxy.order("/api/mirrors/detach", id=attached["id"])
        if proxy.turn:
            # Each turn has a number of its own, and those that are divisible have the first file.
            proxy.turn += -proxy.turn % TURNS
            await proxy.reload(proxy.turn)


def _victims(status: Status) -> list[int]:
    now = time.time()
    return [
        worker["pid"] for worker in status["workers"] if now - worker["started"] > YOUNGEST_VICTIM_S
    ]
