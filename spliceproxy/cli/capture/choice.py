"""Which connections of a capture a command is about."""

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import click

from spliceproxy.cli.readers import Command, reads
from spliceproxy.errors import UsageProblem, quote
from spliceproxy.settings.units import parse_duration, parse_size

if TYPE_CHECKING:
    from spliceproxy.capture import Connection, ConnectionId, Event
    from spliceproxy.policy.networks import NetworkTable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_FORMS = "a time in UTC such as 2026-11-24T07:00:01Z, or how long ago, such as 10m"


def parse_time(text: str) -> int:
    """Return nanoseconds since 1970."""
    try:
        return time.time_ns() - round(parse_duration(text) * 1e9)
    except ValueError:
        pass
    try:
        given = datetime.fromisoformat(text)
        moment = given if given.tzinfo else given.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError):
        raise ValueError(f"{quote(text)} is not understood: expected {_TIME_FORMS}") from None


def parse_client(text: str) -> "NetworkTable[bool]":
    """Return a table that has True for the clients of a network, or of one address."""
    from spliceproxy.policy.networks import NetworkTable
    from spliceproxy.settings.network import parse_network

    return NetworkTable({parse_network(text): True}, default=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for; None: anything."""

    route: str | None = None
    client: "NetworkTable[bool] | None" = None
    backend: str | None = None
    server_name: str | None = None
    mirror: str | None = None
    """Whose peer answers, with ``*`` and ``?``; None: connections of clients alone;
    empty: all."""
    from_ns: int | None = None
    until_ns: int | None = None
    min_bytes: int = 0
    reason: str | None = None

    def fits(self, connection: "Connection") -> bool:
        """Tell whether a connection is asked for; one that overlaps the span of time is."""
        return (
            self.fits_facts(connection.facts)
            and (self.from_ns is None or connection.last_ns >= self.from_ns)
            and (self.until_ns is None or connection.began_ns <= self.until_ns)
            and connection.request_bytes + connection.response_bytes >= self.min_bytes
            and self.reason in (None, connection.reason)
        )

    def fits_facts(self, facts: Mapping[str, object]) -> bool:
        """Tell whether a connection is asked for, by what is known at its beginning."""
        return (
            self.route in (None, facts.get("route"))
            and self._fits_mirror(str(facts.get("mirror", "")))
            and self._fits_client(str(facts.get("client", "")))
            and self._fits_backend(facts)
            and (
                self.server_name is None
                or self.server_name.lower() == str(facts.get("server_name", "")).lower()
            )
        )

    def _fits_client(self, client: str) -> bool:
        if self.client is None:
            return True
        try:
            return self.client.lookup(_host_of(client))
        except ValueError:  # of a unix socket
            return False

    def _fits_mirror(self, mirror: str) -> bool:
        if self.mirror is None:
            return not mirror
        if not self.mirror:
            return True
        return mirror == self.mirror or (bool(mirror) and fnmatchcase(mirror, self.mirror))

    def _fits_backend(self, facts: Mapping[str, object]) -> bool:
        backend = str(facts.get("backend", ""))
        return self.backend in (None, backend, _host_of(backend), facts.get("backend_name"))

    def events(self, events: Iterable["Event"]) -> Iterator["Event"]:
        """Pass on what happened in the span of time on connections that fit by their facts.

        A connection that began before that is introduced with its first event.
        """
        from spliceproxy.capture import Closed, Opened

        fit: dict[ConnectionId, Opened | None] = {}  # what is still to be told before the rest
        left_out: set[ConnectionId] = set()
        for event in events:
            if self.until_ns is not None and event.time_ns > self.until_ns:
                return
            number, is_early = event.connection, event.time_ns < (self.from_ns or 0)
            if number not in fit and number not in left_out:
                if self.fits_facts(event.facts if isinstance(event, Opened) else {}):
                    fit[number] = None
                else:
                    left_out.add(number)
            if number in fit and is_early and isinstance(event, Opened):
                fit[number] = event
            elif number in fit and not is_early:
                if opened := fit[number]:
                    fit[number] = None
                    yield dataclasses.replace(opened, time_ns=event.time_ns, is_continued=True)
                yield event
            if isinstance(event, Closed):
                fit.pop(number, None)
                left_out.discard(number)


def _host_of(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


_BY_FACTS = (
    click.option("--route", metavar="NAME", help="Connections of this route."),
    click.option(
        "--client",
        metavar="NETWORK",
        callback=reads(parse_client),
        help="Of this address, or of a network such as 10.0.0.0/8.",
    ),
    click.option("--backend", metavar="ADDRESS", help="To this backend: host:port, host or name."),
    click.option("--server-name", metavar="NAME", help="With this TLS server name."),
    click.option(
        "--mirror",
        metavar="PATTERN",
        help="Answers of this mirror, such as 'tcp:*', instead of what clients had.",
    ),
)
_BY_TIME = (
    click.option(
        "--from",
        "from_ns",
        metavar="TIME",
        callback=reads(parse_time),
        help="What happened from then on: 2026-11-24T07:00:01Z (UTC), or 10m ago.",
    ),
    click.option(
        "--until", "until_ns", metavar="TIME", callback=reads(parse_time), help="Up to then."
    ),
)
_BY_END = (
    click.option(
        "--min-bytes",
        metavar="SIZE",
        default="0",
        callback=reads(parse_size),
        help="With at least so much, both directions together.",
    ),
    click.option("--reason", metavar="REASON", help="Ended for this reason, such as closed."),
)


def choosing(command: Command, *, by_time: bool = True, by_end: bool = False) -> Command:
    """Add the options of a choice; they arrive by the names of its fields."""
    for add in reversed(_BY_FACTS + _BY_TIME * by_time + _BY_END * by_end):
        command = add(command)
    return command


def read_connection(text: str) -> "ConnectionId":
    """Return a connection's id.

    Raises:
        UsageProblem: it is none.
    """
    from spliceproxy.capture import ConnectionId

    try:
        return ConnectionId.parse(text)
    except ValueError:
        raise UsageProblem(
            f"{quote(text)} is no connection",
            "expected one such as 6c1f0a9e5b7d2c34-12: spliceproxy capture connections lists them",
        ) from None


def no_such_connection(connection: Any, directory: str) -> UsageProblem:
    """Return the problem of a connection that a capture has not."""
    return UsageProblem(
        f"{quote(directory)} has nothing of the connection {connection}",
        "spliceproxy capture connections lists those that it has",
    )
