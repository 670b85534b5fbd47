"""What has grown, or does not add up, is a fault."""

from dataclasses import replace
from typing import Any, cast

import pytest

from tools.soak.figures import MOST_GROWTH_BYTES, Figure, at_rest, counters
from tools.soak.proxy import Proxy
from tools.soak.reading import Process, Reading, least

WORKER = {"pipes_in_use": 0, "mirror_pipes_in_use": 0}
MIRROR = {
    "name": "null:",
    "offered_bytes": 100,
    "delivered_bytes": 70,
    "dropped_bytes": 20,
    "dropped": {"buffer_full": 20},
    "lag_bytes": 10,
}
ROUTE = {
    "name": "pool",
    "accepted": 10,
    "ended": {"closed": 6, "worker_lost": 2},
    "active": 2,
    "mirrors": [MIRROR],
}


def status(**changed: Any) -> dict[str, Any]:
    return {"workers": [WORKER], "routes": [{**ROUTE, **changed}]}


READING = Reading(
    status(),
    Process(20, 1 << 20),
    Process(15, 1 << 20),
    [Process(30, 1 << 20)] * 2,
    4,
    0,
    100,
    0,
    0,
)


class Steady:
    is_shaken = False


def grown(after: Reading) -> dict[str, str]:
    return faults(list(at_rest(cast("Proxy", Steady()), READING, after)))


def faults(figures: list[Figure]) -> dict[str, str]:
    return {figure.name: figure.fault for figure in figures if figure.fault}


def test_nothing_has_grown() -> None:
    assert grown(READING) == {}


@pytest.mark.parametrize(
    ("after", "name"),
    [
        (replace(READING, master=Process(21, 1 << 20)), "descriptors, master"),
        (replace(READING, admin=Process(16, 1 << 20)), "descriptors, admin process"),
        (
            replace(READING, workers=[Process(30, 1 << 20), Process(31, 1 << 20)]),
            "descriptors, a worker",
        ),
        (replace(READING, master=Process(20, 2 * MOST_GROWTH_BYTES)), "memory, master"),
        (replace(READING, workers=[Process(30, 2 * MOST_GROWTH_BYTES)]), "memory, a worker"),
        (replace(READING, rows=1000), "rows of the shared table"),
        (replace(READING, processes=5), "processes"),
        (replace(READING, zombies=1), "zombies"),
        (replace(READING, unfinished_files=1), "unfinished audit files"),
        (
            replace(READING, status={**status(), "workers": [{**WORKER, "pipes_in_use": 1}]}),
            "pipes in use",
        ),
    ],
)
def test_what_has_grown_is_told(after: Reading, name: str) -> None:
    assert list(grown(after)) == [name]


def test_the_table_may_grow_by_what_was_attached() -> None:
    assert grown(replace(READING, rows=1000, attached=200)) == {}


def test_counters_add_up() -> None:
    assert faults(list(counters(status(), status()))) == {}


@pytest.mark.parametrize(
    ("after", "name", "why"),
    [
        (status(accepted=11), "connections: opened - ended - open", "pool 1"),
        (
            status(mirrors=[{**MIRROR, "delivered_bytes": 60}]),
            "mirrors, bytes: offered - delivered - dropped - lag",
            "pool null: 10",
        ),
        (
            status(mirrors=[{**MIRROR, "dropped": {}}]),
            "mirrors, bytes: dropped - dropped by reason",
            "pool null: 20",
        ),
    ],
)
def test_counters_that_do_not_are_told(after: dict[str, Any], name: str, why: str) -> None:
    assert faults(list(counters(status(), after))) == {name: why}


def test_what_comes_and_goes_is_not_taken_for_a_leak() -> None:
    def reading(*descriptors: int) -> Reading:
        return replace(READING, workers=[Process(count, 1) for count in descriptors])

    taken = least([reading(32, 30), reading(30, 32), reading(32, 32)])
    assert [process.descriptors for process in taken.workers] == [30, 30]
