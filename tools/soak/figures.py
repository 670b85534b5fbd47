"""What is compared before and after, and the rules that it is held to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tools.soak.proxy import Event, Proxy, Status
from tools.soak.reading import Process, Reading

MOST_GROWTH_BYTES = 16 << 20
"""Of a process, from one rest to the next: what allocators keep of a busier moment. A leak of a
kilobyte for each connection, or of 150 KB for each reload, is more within ten minutes."""
MOST_MORE_ROWS = 160
"""Of the shared table: reasons that come up late, and a slot or two more than before."""
MOST_ROWS_OF_ATTACHED = 10
"""For each mirror that is attached: its name is a new one, and each worker's slot has a row for it,
and one for each reason of its losses."""


@dataclass(frozen=True)
class Figure:
    """A line of the table."""

    name: str
    before: str
    after: str
    fault: str = ""
    """Why it is not as it should be."""


def _compared(name: str, before: int, after: int, most: int) -> Figure:
    fault = f"more than {most:,}" if after > most else ""
    return Figure(name, f"{before:,}", f"{after:,}", fault)


def _memory(name: str, before: int, after: int) -> Figure:
    grown = after - before
    fault = f"grown by {_kilobytes(grown)}" if grown > MOST_GROWTH_BYTES else ""
    return Figure(name, _kilobytes(before), _kilobytes(after), fault)


def _kilobytes(count: int) -> str:
    return f"{count / 1024:,.0f} KiB"


def _most(workers: Sequence[Process], what: str) -> int:
    return max((getattr(worker, what) for worker in workers), default=0)


def at_rest(proxy: Proxy, before: Reading, after: Reading) -> Iterator[Figure]:
    """Return what the proxy uses, as it was and as it is."""
    for name, old, new in (
        ("master", before.master, after.master),
        ("admin process", before.admin, after.admin),
    ):
        yield _compared(f"descriptors, {name}", old.descriptors, new.descriptors, old.descriptors)
    then, now = (_most(one.workers, "descriptors") for one in (before, after))
    yield _compared("descriptors, a worker", then, now, then)
    yield _memory("memory, master", before.master.resident_bytes, after.master.resident_bytes)
    yield _memory("memory, admin process", before.admin.resident_bytes, after.admin.resident_bytes)
    then, now = (_most(one.workers, "resident_bytes") for one in (before, after))
    yield _memory("memory, a worker", then, now)
    attached = after.attached - before.attached
    most_rows = before.rows + MOST_MORE_ROWS + MOST_ROWS_OF_ATTACHED * attached
    yield _compared("rows of the shared table", before.rows, after.rows, most_rows)
    yield _compared("processes", before.processes, after.processes, before.processes)
    yield _compared("zombies", before.zombies, after.zombies, 0)
    then, now = (_pipes(one.status) for one in (before, after))
    yield _compared("pipes in use", then, now, 0)
    if not proxy.is_shaken:  # a worker that is killed leaves some
        yield _compared(
            "unfinished audit files", before.unfinished_files, after.unfinished_files, 0
        )


def _pipes(status: Status) -> int:
    return sum(one["pipes_in_use"] + one["mirror_pipes_in_use"] for one in status["workers"])


def counters(before: Status, after: Status) -> Iterator[Figure]:
    """Return sums that have to be the same by two ways."""
    for name, left in (
        ("connections: opened - ended - open", _connections_left),
        ("mirrors, bytes: offered - delivered - dropped - lag", _mirror_bytes_left),
        ("mirrors, bytes: dropped - dropped by reason", _drops_left),
    ):
        then, now = left(before), left(after)
        faults = [f"{key} {value:,}" for key, value in now.items() if value]
        yield Figure(name, _sum(then), _sum(now), ", ".join(faults))


def _sum(left: dict[str, int]) -> str:
    return f"{sum(map(abs, left.values())):,}"


def _connections_left(status: Status) -> dict[str, int]:
    return {
        route["name"]: route["accepted"] - sum(route["ended"].values()) - route["active"]
        for route in status["routes"]
    }


def _mirrors(status: Status) -> Iterable[tuple[str, dict[str, Any]]]:
    for route in status["routes"]:
        for mirror in route["mirrors"]:
            yield f"{route['name']} {mirror['name']}", mirror


def _mirror_bytes_left(status: Status) -> dict[str, int]:
    return {
        name: one["offered_bytes"]
        - one["delivered_bytes"]
        - one["dropped_bytes"]
        - one["lag_bytes"]
        for name, one in _mirrors(status)
    }


def _drops_left(status: Status) -> dict[str, int]:
    return {
        name: one["dropped_bytes"] - sum(one["dropped"].values()) for name, one in _mirrors(status)
    }


def lost(status: Status) -> int:
    """Return how many connections are counted as lost with their workers."""
    return sum(int(route["ended"].get("worker_lost", 0)) for route in status["routes"])


def lost_by_log(log: Iterable[Event]) -> int:
    """Return how many connections workers have taken with them, as the log tells."""
    return sum(
        sum(event["connections_lost"].values())
        for event in log
        if event["event"] == "worker_exited"
    )
