"""A mirror that is attached while the proxy runs: what it copies, where to, and for how long."""

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
class Wanted:
    """What somebody asks to be attached."""

    mirror: MirrorSettings
    to: str
    route: str | None
    client: str | None
    """A network; None: all clients."""
    connection: str | None
    """A single connection's number; None: those that begin from now on."""
    duration_s: float | None


def parse_wanted(given: Mapping[str, object]) -> Wanted:
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
    if connection is not None and not _CONNECTION.fullmatch(connection):
        raise ValueError("connection: expected a number as `ctl connections` shows it, like 0-17")
    duration_s = _parse("for", parse_duration, texts["for"]) if "for" in texts else None
    if duration_s == 0:
        raise ValueError("for: expected a time longer than 0")
    return Wanted(
        mirror,
        to,
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


@dataclass(frozen=True, slots=True)
class Attachment:
    """A mirror that is attached; the same in all workers."""

    number: int
    route: str
    to: str
    max_bytes: int | None
    client: str | None
    connection: str | None
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
    def mirror(self) -> MirrorSettings:
        """The mirror, named after its place and the attachment."""
        mirror = parse_mirror(self.to)
        text = f"{mirror.text}@{self.number}"
        return replace(mirror, text=text, max_bytes=self.max_bytes)

    def left_s(self, now_s: float) -> float | None:
        """Seconds until it ends; None: it has no end."""
        return None if self.until_us is None else max(0.0, self.until_us / 1e6 - now_s)

    def as_message(self) -> dict[str, Any]:
        """Return what `from_message` reads, as values that JSON knows."""
        return asdict(self)

    @classmethod
    def from_message(cls, told: dict[str, Any]) -> "Attachment":
        """Read what another process has told."""
        targets = tuple(_socket_address(one) for one in told["targets"])
        return cls(**{**told, "targets": targets})


def _socket_address(told: dict[str, Any]) -> SocketAddress:
    sockaddr = told["sockaddr"]
    as_connected = sockaddr if isinstance(sockaddr, str) else tuple(sockaddr)
    return SocketAddress(told["family"], as_connected, told["name"])
