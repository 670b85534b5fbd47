"""A look at a running proxy, and how fast its counters have grown since the one before."""

import time
from dataclasses import dataclass
from typing import Any, Protocol

MAX_CONNECTIONS_SEEN = 1000

Counter = tuple[str, ...]
"""What is counted: a kind, the names that lead to it, and the key of the number."""

_COUNTED = {
    "route": ("accepted", "request_bytes", "response_bytes"),
    "backend": ("connections", "request_bytes", "response_bytes"),
    "mirror": ("delivered_bytes", "dropped_bytes"),
    "connection": ("request_bytes", "response_bytes"),
}


class AdminApi(Protocol):
    """The admin interface of a running proxy: `AdminClient`, or what stands in for it."""

    def get(self, path: str, **query: str) -> Any:
        """Return the answer to a GET; see `spliceproxy.cli.admin_client`."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment."""

    taken_s: float
    """By `time.monotonic`."""
    status: dict[str, Any]
    connections: list[dict[str, Any]]
    """At most `MAX_CONNECTIONS_SEEN`, in no order; none if nobody wanted to see them."""
    silent: list[str]
    """Workers that did not tell their connections, and why."""


def look(client: AdminApi, *, connections: bool = True) -> Look:
    """Take a look; without connections workers are not asked, and have no work with it.

    Raises:
        AskingProblem: there is no answer, or it is a refusal.
    """
    status = client.get("/api/status")
    taken_s = time.monotonic()
    if not connections:
        return Look(taken_s, status, [], [])
    answer = client.get("/api/connections", limit=str(MAX_CONNECTIONS_SEEN))
    return Look(taken_s, status, answer["found"][:MAX_CONNECTIONS_SEEN], answer["silent"])


class Rates:
    """What counters have grown by in a second, between two looks."""

    def __init__(self, now: Look, before: Look | None) -> None:
        self._now = _counters(now)
        self._before = {} if before is None else _counters(before)
        self._passed_s = 0.0 if before is None else now.taken_s - before.taken_s

    def of(self, *counter: str) -> float | None:
        """Return the growth; None if it was not there before.

        Counters that have shrunk belong to a proxy that was started anew: they count from 0.
        """
        now, before = self._now.get(counter), self._before.get(counter)
        if now is None or before is None or self._passed_s <= 0:
            return None
        return (now - before if now >= before else now) / self._passed_s

    def total(self, kind: str, key: str) -> float:
        """Return the growth of all of a kind."""
        counters = [one for one in self._now if one[0] == kind and one[-1] == key]
        return sum(self.of(*one) or 0.0 for one in counters)


def _counters(seen: Look) -> dict[Counter, int]:
    counters: dict[Counter, int] = {}

    def count(kind: str, names: tuple[str, ...], counted: dict[str, Any]) -> None:
        for key in _COUNTED[kind]:
            counters[kind, *names, key] = counted[key]

    for route in seen.status["routes"]:
        count("route", (route["name"],), route)
        for backend in route["backends"]:
            count("backend", (route["name"], backend["name"]), backend)
        for mirror in route["mirrors"]:
            count("mirror", (route["name"], mirror["name"]), mirror)
    for connection in seen.connections:
        count("connection", (connection["number"],), connection)
    return counters
