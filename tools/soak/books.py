"""The books of one proxy: what its clients saw, what its log says, and what it has counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tools.soak import access_lines, figures
from tools.soak.access_lines import AccessLines
from tools.soak.explain import Troubles, unexplained
from tools.soak.figures import Figure
from tools.soak.load import Outcome, Visit
from tools.soak.proxy import Event, Proxy, Status
from tools.soak.trouble import BackendKill

EXPECTED_ERRORS = {"worker_exited"}
"""Where workers are killed."""


@dataclass
class KindCount:
    """How the connections of one kind of client went."""

    intact: int = 0
    explained: int = 0
    unexplained: int = 0


@dataclass
class Books:
    """What a proxy's clients saw, beside its log."""

    proxy: Proxy
    visits: Sequence[Visit]
    lines: AccessLines
    log: Sequence[Event]
    kinds: dict[str, KindCount] = field(default_factory=lambda: defaultdict(KindCount))
    faults: Counter[str] = field(default_factory=Counter)
    """What no trouble explains, and how often."""
    examples: dict[str, str] = field(default_factory=dict)
    """A connection for each of the faults."""
    without_line: int = 0

    def figures(self, status: Status) -> Iterator[Figure]:
        """Return what has to be the same by the clients, the log and the counters."""
        yield from self._connections(status)
        yield from self._bytes(status)
        lost, told = figures.lost(status), figures.lost_by_log(self.log)
        fault = "" if lost == told else "not those of worker_exited"
        yield Figure("lost with their workers: log, counters", f"{told:,}", f"{lost:,}", fault)
        errors = self._errors()
        fault = ", ".join(f"{event} {count}" for event, count in errors.items())
        yield Figure("lines of errors in the log", "0", f"{errors.total():,}", fault)
        fault = ", ".join(f"{what} ({count})" for what, count in self.lines.faults.items())
        yield Figure(
            "lines of connections that don't add up", "0", f"{self.lines.faults.total():,}", fault
        )

    def _connections(self, status: Status) -> Iterator[Figure]:
        accepted = sum(route["accepted"] for route in status["routes"])
        visits = len(self.visits)
        # A worker that is killed may have accepted clients that it has not counted yet.
        least = visits - self.without_line if self.proxy.is_shaken else visits
        fault = "" if least <= accepted <= visits else "others than clients have made"
        yield Figure("connections: clients, counters", f"{visits:,}", f"{accepted:,}", fault)
        ended = accepted - figures.lost(status)
        # Those of a killed worker whose copies were on their way have ended, without a line.
        least = ended - self.without_line if self.proxy.is_shaken else ended
        fault = "" if least <= self.lines.count <= ended else "lines are missing"
        yield Figure("connections: counters, lines", f"{ended:,}", f"{self.lines.count:,}", fault)

    def _bytes(self, status: Status) -> Iterator[Figure]:
        for what in ("request_bytes", "response_bytes"):
            told = sum(getattr(line, what) for line in self.lines.by_host.values())
            counted = sum(route[what] for route in status["routes"])
            # What was moved by connections that were lost has been counted, and is in no line.
            is_right = told <= counted if self.proxy.is_shaken else told == counted
            name = f"{what.replace('_', ' ')}: lines, counters"
            yield Figure(name, f"{told:,}", f"{counted:,}", "" if is_right else "not the same")

    def _errors(self) -> Counter[str]:
        expected = EXPECTED_ERRORS if self.proxy.is_shaken else set()
        return Counter(
            event["event"]
            for event in self.log
            if "exception" in event
            or (event["level"] in ("error", "critical") and event["event"] not in expected)
        )


def keep(proxy: Proxy, visits: Sequence[Visit], backend_kills: Sequence[BackendKill]) -> Books:
    """Hold each connection of a proxy's clients against its line."""
    own = [visit for visit in visits if visit.proxy == proxy.name]
    books = Books(proxy, own, access_lines.read(proxy.files.access_log), proxy.log())
    troubles = Troubles(proxy.kills, proxy.reloads, backend_kills)
    for visit in own:
        line = books.lines.by_host.get(visit.host)
        books.without_line += line is None
        count = books.kinds[visit.kind]
        if fault := unexplained(visit, line, troubles):
            books.faults[fault] += 1
            books.examples.setdefault(fault, f"{visit} {line}")
            count.unexplained += 1
        elif visit.outcome == Outcome.INTACT:
            count.intact += 1
        else:
            count.explained += 1
    return books
