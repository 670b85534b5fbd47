"""A mirror that is attached while the proxy runs: how it is asked for, and what workers are told.

An operator's request is read once, by the admin process (`parse_attach_request`), which numbers it
and makes an `Attachment` of it. That travels to each worker as a message, which is read once, where
it arrives (`Attachment.from_message`).
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.policy.selection import SelectionError, parse_network
from spliceproxy.settings.mirror import MirrorSettings, parse_mirror
from spliceproxy.settings.units import parse_duration, parse_positive_size

MAX_TO_BYTES = 4096
_KEYS = ("route", "to", "client", "connection", "for", "bytes")
_CONNECTION = re.compile(r"[0-9]{1,9}-[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A mirror that is attached; the same in all workers."""

    number: int
    route: str
    to: str
    """The mirror as it was asked for, with its options."""
    mirror: MirrorSettings
    """What `to` says, named after its sink and the number: what logs and counters call it."""
    client: str | None
    """A network; None: all clients."""
    connection: str | None
    """A single connection's number; None: those that begin from now on."""
    until_us: int | None
    """By CLOCK_MONOTONIC, which all processes share; None: until somebody detaches it."""
    targets: tuple[SocketAddress, ...]
    """Of a mirror that is connected to."""
    asker: str

    @property
    def name(self) -> str:
        """What logs and counters call the mirror."""
        return self.mirror.text

    @property
    def slot(self) -> int | None:
        """The slot of the only worker that it concerns; None: it concerns all of them."""
        return None if self.connection is None else slot_of(self.connection)

    def left_s(self, now_s: float) -> float | None:
        """Seconds until it ends; None: it has no end."""
        return None if self.until_us is None else max(0.0, self.until_us / 1e6 - now_s)

    def as_message(self) -> dict[str, Any]:
        """Return what `from_message` reads, as values that JSON knows."""
        return {
            "number": self.number,
            "route": self.route,
            "to": self.to,
            "max_bytes": self.mirror.max_bytes,
            "client": self.client,
            "connection": self.connection,
            "until_us": self.until_us,
            "targets": [asdict(target) for target in self.targets],
            "asker": self.asker,
        }

    @classmethod
    def from_message(cls, told: Mapping[str, Any]) -> "Attachment":
        """Read what another process has told."""
        mirror = replace(parse_mirror(told["to"]), max_bytes=told["max_bytes"])
        return cls(
            number=told["number"],
            route=told["route"],
            to=told["to"],
            mirror=_named(mirror, told["number"]),
            client=told["client"],
            connection=told["connection"],
            until_us=told["until_us"],
            targets=tuple(map(_socket_address, told["targets"])),
            asker=told["asker"],
        )


def slot_of(connection: str) -> int:
    """Return the slot of the worker that has the connection of this number."""
    return int(connection.partition("-")[0])


def _named(mirror: MirrorSettings, number: int) -> MirrorSettings:
    return replace(mirror, text=f"{mirror.text}@{number}")


def _socket_address(told: dict[str, Any]) -> SocketAddress:
    sockaddr = told["sockaddr"]
    as_connected = sockaddr if isinstance(sockaddr, str) else tuple(sockaddr)
    return SocketAddress(told["family"], as_connected, told["name"])


@dataclass(frozen=True, slots=True)
class AttachRequest:
    """What an operator asks to be attached; nothing of it is looked up yet."""

    to: str
    mirror: MirrorSettings
    route: str | None
    """None: the one of the connection."""
    client: str | None
    connection: str | None
    duration_s: float | None

    def attachment(
        self,
        number: int,
        route: str,
        targets: tuple[SocketAddress, ...],
        asker: str,
        *,
        now_s: float,
    ) -> Attachment:
        """Return what workers are told; the time that it lasts begins now (`time.monotonic`)."""
        until_s = None if self.duration_s is None else now_s + self.duration_s
        return Attachment(
            number=number,
            route=route,
            to=self.to,
            mirror=_named(self.mirror, number),
            client=self.client,
            connection=self.connection,
            until_us=None if until_s is None else int(until_s * 1e6),
            targets=targets,
            asker=asker,
        )


def parse_attach_request(given: Mapping[str, object]) -> AttachRequest:
    """Read a request.

    Raises:
        ValueError: says in one line what is wrong, and what is expected.
    """
    texts = _texts(given)
    to = texts.get("to", "")
    if not to or len(to) > MAX_TO_BYTES:
        raise ValueError(f"to: expected a mirror of at most {MAX_TO_BYTES} characters")
    mirror = _parse("to", parse_mirror, to)
    if mirror.scope == "route":
        raise ValueError("to: scope=route is not for attached mirrors: expected scope=connection")
    if "bytes" in texts:
        mirror = replace(mirror, max_bytes=_parse("bytes", parse_positive_size, texts["bytes"]))
    client = texts.get("client")
    connection = texts.get("connection")
    if connection is None and "route" not in texts:
        raise ValueError("expected a route, or the number of a connection")
    if connection is not None and client is not None:
        raise ValueError("expected a client or a connection, not both")
    if connection is not None and (mirror.clients or mirror.server_names):
        raise ValueError("to: clients and server_names are not for a single connection")
    if connection is not None and not _CONNECTION.fullmatch(connection):
        raise ValueError("connection: expected a number as `ctl connections` shows it, like 0-17")
    duration_s = _parse("for", parse_duration, texts["for"]) if "for" in texts else None
    if duration_s == 0:
        raise ValueError("for: expected a time longer than 0")
    return AttachRequest(
        to,
        mirror,
        texts.get("route"),
        None if client is None else str(_parse("client", parse_network, client)),
        connection,
        duration_s,
    )


def _texts(given: Mapping[str, object]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in given.items():
        if name not in _KEYS:
            raise ValueError(f"{name[:60]!r} is not known: expected {', '.join(_KEYS)}")
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name}: expected a text")
        texts[name] = value
    return texts


def _parse(name: str, parse: Any, text: str) -> Any:
    try:
        return parse(text)
    except (ValueError, SelectionError) as problem:
        raise ValueError(f"{name}: {problem}") from None
