"""The commands of the statistics socket that are understood."""

from dataclasses import dataclass

ANY = -1
"""For a number that selects: every one."""


@dataclass(frozen=True, slots=True)
class ServerName:
    """HAProxy's `BACKEND/SERVER`, which here is a route and one of its backends."""

    route: str
    backend: str


@dataclass(frozen=True, slots=True)
class ShowInfo:
    """Tell of the process."""


@dataclass(frozen=True, slots=True)
class ShowStat:
    """Tell all numbers, or those of a proxy, of kinds, or of one service."""

    proxy: str | int = ANY
    """By its name or its `iid`."""
    kinds: int = ANY
    """Bits: 1 for FRONTEND, 2 for BACKEND, 4 for servers."""
    sid: int = ANY


@dataclass(frozen=True, slots=True)
class ShowSessions:
    """List the connections, or one of them."""

    number: str | None = None


@dataclass(frozen=True, slots=True)
class SetState:
    """Give a server work, or no more of it."""

    server: ServerName
    state: str
    """``ready``, ``drain`` or ``maint``."""


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give a server another share."""

    server: ServerName
    weight: int
    percent: bool
    """Of the weight that it is configured with."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Reset a connection, or all those of a server."""

    number: str | None = None
    server: ServerName | None = None


@dataclass(frozen=True, slots=True)
class SetTimeout:
    """Wait so long for the next command."""

    timeout_s: int


@dataclass(frozen=True, slots=True)
class Help:
    """List the commands."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Stay connected and show a prompt, or do so no longer."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Hang up."""


Command = (
    ShowInfo
    | ShowStat
    | ShowSessions
    | SetState
    | SetWeight
    | Shutdown
    | SetTimeout
    | Help
    | Prompt
    | Quit
)
