"""What a proxy uses when it is at rest, and the wait until it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import trio

from spliceproxy.errors import AskingProblem
from tools.bench import process_tree
from tools.soak.proxy import Proxy, Status
from tools.soak.routes import WORKERS

REST_TIMEOUT_S = 120.0
"""A command that mirrors may go on for a minute after its connection has ended."""
_READINGS = 15
_PAUSE_S = 0.2


async def wait_rest(proxy: Proxy) -> str:
    """Wait until nothing is under way; what still is when the time is over, or nothing."""
    unrest = "no answer"
    with trio.move_on_after(REST_TIMEOUT_S):
        while True:
            try:
                unrest = ", ".join(_unrest(await proxy.status()))
            except AskingProblem as problem:
                unrest = str(problem)
            if not unrest:
                break
            await trio.sleep(_PAUSE_S)
    return unrest


def _unrest(status: Status) -> Iterable[str]:
    workers = status["workers"]
    if len(workers) != WORKERS or {one["generation"] for one in workers} != {status["generation"]}:
        yield f"{len(workers)} workers"
    for what in ("pipes_in_use", "mirror_pipes_in_use", "mirror_held_bytes"):
        if count := sum(worker[what] for worker in workers):
            yield f"{what} {count}"
    for route in status["routes"]:
        for what in ("active", "mirroring"):
            if route[what]:
                yield f"{route['name']}: {what} {route[what]}"
        for mirror in route["mirrors"]:
            for what in _unrest_of_mirror(mirror):
                yield f"{route['name']} {mirror['name']}: {what}"


def _unrest_of_mirror(mirror: dict[str, Any]) -> Iterable[str]:
    if mirror["attached"] is not None and mirror["state"] != "over":
        yield "attached"
    for what in ("open", "lag_bytes"):
        if mirror[what]:
            yield f"{what} {mirror[what]}"


@dataclass(frozen=True)
class Process:
    """One process of a proxy."""

    descriptors: int
    resident_bytes: int


@dataclass(frozen=True)
class Reading:
    """A proxy at rest."""

    status: Status
    master: Process
    admin: Process
    workers: list[Process]
    """Their descriptors are those without pipes that wait for the next connection."""
    processes: int
    zombies: int
    rows: int
    """Of the shared table."""
    unfinished_files: int
    attached: int
    """How many mirrors have been attached so far."""


async def read(proxy: Proxy) -> Reading:
    """Read for some seconds, and take the least: health checks and lookups come and go."""
    readings = []
    for _ in range(_READINGS):
        readings.append(_read_once(proxy, await proxy.status()))
        await trio.sleep(_PAUSE_S)
    return least(readings)


def least(readings: Sequence[Reading]) -> Reading:
    """Return the last reading, with the fewest descriptors that each process ever had.

    A lookup or a check under way has some, and each process may be without at another moment.
    """

    def fewest(processes: Iterable[Process]) -> Process:
        return min(processes, key=lambda process: process.descriptors)

    return replace(
        readings[-1],
        master=fewest(reading.master for reading in readings),
        admin=fewest(reading.admin for reading in readings),
        workers=list(map(fewest, zip(*(reading.workers for reading in readings), strict=True))),
    )


def _read_once(proxy: Proxy, status: Status) -> Reading:
    pooled = {
        worker["pid"]: 2 * (worker["pipes_idle"] + worker["mirror_pipes_idle"])
        for worker in status["workers"]
    }
    stats = {stat.pid: stat for stat in proxy.processes()}
    master = proxy.child.pid
    others = [pid for pid, stat in stats.items() if stat.parent_pid == master and pid not in pooled]
    return Reading(
        status=status,
        master=_process(stats[master]),
        admin=_process(stats[min(others)]),
        workers=[_process(stats[pid], idle) for pid, idle in pooled.items() if pid in stats],
        processes=len(stats),
        zombies=sum(map(_is_zombie, stats)),
        rows=status["shared_rows"],
        unfinished_files=sum(1 for _ in proxy.files.directory.rglob("*.part")),
        attached=proxy.attached,
    )


def _process(stat: process_tree.ProcessStat, pooled: int = 0) -> Process:
    with suppress(FileNotFoundError):
        descriptors = sum(1 for _ in Path(f"/proc/{stat.pid}/fd").iterdir())
        return Process(descriptors - pooled, stat.resident_bytes)
    return Process(0, 0)


def _is_zombie(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False
