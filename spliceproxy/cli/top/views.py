"""What `top` shows: the tables of routes, backends, mirrors and connections."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from spliceproxy.cli.columns import by_reason, human_bytes, human_seconds, printable
from spliceproxy.cli.mirror_state import MARKS, why_ill
from spliceproxy.cli.top.look import Look, Rates

UNKNOWN = "-"
_ILL_STATES = {"down": "bad", "ejected": "bad", "draining": "warn", "disabled": "warn"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as it is shown, and as it is compared."""

    text: str
    value: float | str
    mark: str = ""
    """``bad``, ``warn``, or nothing."""


Row = list[Cell]


@dataclass(frozen=True, slots=True)
class View:
    """One of the tables: its columns, and how a look becomes its rows."""

    name: str
    columns: tuple[str, ...]
    sorted_by: int
    """The column that it is sorted by at first, the largest on top."""
    rows: Callable[[Look, Rates], Iterator[Row]]


def select(rows: Iterator[Row], wanted: str) -> list[Row]:
    """Return the rows that have a text in one of their cells, large or small letters alike."""
    wanted = wanted.lower()
    return [row for row in rows if any(wanted in cell.text.lower() for cell in row)]


def arrange(rows: list[Row], column: int, *, falling: bool) -> list[Row]:
    """Return rows by the value in a column. What is unknown comes last, both ways."""
    known = [row for row in rows if row[column].text != UNKNOWN]
    unknown = [row for row in rows if row[column].text == UNKNOWN]
    known.sort(key=lambda row: row[column].value, reverse=falling)
    return known + unknown


def _text(text: str, mark: str = "") -> Cell:
    text = printable(text)
    return Cell(text, text.lower(), mark)


def _count(number: int) -> Cell:
    return Cell(str(number), number)


def _bytes(number: int, mark: str = "") -> Cell:
    return Cell(human_bytes(number), number, mark if number else "")


def _seconds(seconds: float) -> Cell:
    return Cell(human_seconds(seconds), seconds)


def _reasons(counts: dict[str, int], mark: str = "") -> Cell:
    return Cell(printable(by_reason(counts)), sum(counts.values()), mark)


def _per_second(rate: float | None) -> Cell:
    return Cell(UNKNOWN, 0.0) if rate is None else Cell(f"{rate:.1f}", rate)


def _bytes_per_second(rate: float | None, mark: str = "") -> Cell:
    if rate is None:
        return Cell(UNKNOWN, 0.0)
    return Cell(f"{human_bytes(rate)}/s", rate, mark if rate else "")


def _routes(seen: Look, rates: Rates) -> Iterator[Row]:
    for route in seen.status["routes"]:
        name = route["name"]
        full = "warn" if route["active"] >= route["limit"] else ""
        early = {why: count for why, count in route["ended"].items() if why != "closed"}
        yield [
            _text(name),
            Cell(str(route["active"]), route["active"], full),
            _count(route["limit"]),
            _per_second(rates.of("route", name, "accepted")),
            _bytes_per_second(rates.of("route", name, "request_bytes")),
            _bytes_per_second(rates.of("route", name, "response_bytes")),
            _bytes(route["undelivered_bytes"], "warn"),
            _reasons(early),
            _reasons(route["refused"], "warn"),
            _text(", ".join(route["listeners"])),
        ]


def _backends(seen: Look, rates: Rates) -> Iterator[Row]:
    for route, backend in _parts(seen, "backends"):
        names = ("backend", route["name"], backend["name"])
        backup = "backup" if backend["backup"] else ""
        yield [
            _text(route["name"]),
            _text(backend["name"]),
            _text(backend["state"], _ILL_STATES.get(backend["state"], "")),
            Cell(f"{backend['weight']} {backup}".rstrip(), backend["weight"]),
            _count(backend["active"]),
            _per_second(rates.of(*names, "connections")),
            _bytes_per_second(rates.of(*names, "request_bytes")),
            _bytes_per_second(rates.of(*names, "response_bytes")),
            _reasons(backend["failed"], "warn"),
            _text(backend["reason"]),
        ]


def _mirrors(seen: Look, rates: Rates) -> Iterator[Row]:
    for route, mirror in _parts(seen, "mirrors"):
        names = ("mirror", route["name"], mirror["name"])
        yield [
            _text(route["name"]),
            _text(mirror["name"]),
            _text(mirror["state"], MARKS.get(mirror["state"], "warn")),
            _count(mirror["open"]),
            _bytes(mirror["lag_bytes"]),
            _bytes_per_second(rates.of(*names, "delivered_bytes")),
            _bytes_per_second(rates.of(*names, "dropped_bytes"), "bad"),
            _bytes(mirror["dropped_bytes"], "bad"),
            _count(mirror["incomplete"]),
            _reasons(mirror["dropped"]),
            _text(why_ill(mirror)),
        ]


def _connections(seen: Look, rates: Rates) -> Iterator[Row]:
    for one in seen.connections:
        yield [
            _text(one["number"]),
            _text(one["route"]),
            _text(one["client"]),
            _text(one["backend"] or UNKNOWN),
            _seconds(one["age_s"]),
            _seconds(one["idle_s"]),
            _bytes_per_second(rates.of("connection", one["number"], "request_bytes")),
            _bytes_per_second(rates.of("connection", one["number"], "response_bytes")),
            _bytes(one["request_bytes"]),
            _bytes(one["response_bytes"]),
            _text(one["state"]),
        ]


def _parts(seen: Look, kind: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for route in seen.status["routes"]:
        for part in route[kind]:
            yield route, part


_ROUTE = ("route", "open", "limit", "new/s", "request", "response")
_BACKEND = ("route", "backend", "state", "weight", "open", "new/s", "request", "response")
_MIRROR = ("route", "mirror", "state", "open", "lag", "delivered", "losing", "lost", "incomplete")
_CONNECTION = ("number", "route", "client", "backend", "age", "silent", "request", "response")

CONNECTIONS = View(
    "connections", (*_CONNECTION, "requested", "responded", "state"), 7, _connections
)
VIEWS = (
    View("routes", (*_ROUTE, "undelivered", "ended early", "refused", "listeners"), 1, _routes),
    View("backends", (*_BACKEND, "failed connects", "reason"), 4, _backends),
    View("mirrors", (*_MIRROR, "why lost", "reason"), 4, _mirrors),
    CONNECTIONS,
)
