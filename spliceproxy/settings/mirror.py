"""Mirrors as users write them: a sink for copies of the traffic, with options after `?`.

Most kinds follow the rules of URLs: the first `?` ends the sink, and `%3F` stands for one inside of
it. `mirror_kinds` has a file for each kind.
"""

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from spliceproxy.errors import quote, suggest
from spliceproxy.settings.address import Address
from spliceproxy.settings.mirror_kinds.kind import Direction, MirrorKind, Overflow, Scope
from spliceproxy.settings.mirror_kinds.table import KINDS, mirror_forms
from spliceproxy.settings.mirror_options import parse_options
from spliceproxy.settings.written import Expanded, Written, conceals, written_in

BUFFER_BYTES = 8 << 20
"""How far the traffic may be ahead where that is bounded by itself: with `block`, of a record; with
`spill`, before copies go to disk."""

_BUFFERED = ("block", "spill")


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """One sink for copies, which connections and bytes it gets, and its policy when it lags.

    It is shown by its text. What variables of a routes file have made of that stays hidden.
    """

    text: str  # as the user wrote it, without options: its name in logs; `Written` with variables
    kind: str  # one of `KINDS`
    # directory (file), path (unix), host and port (tcp, tls), command (exec), "" (null)
    target: str = field(repr=False)
    address: Address | None = field(repr=False)  # of tcp, tls and unix
    # the arguments to execute, program first; empty unless exec
    command: tuple[str, ...] = field(repr=False)
    direction: Direction
    sample: float = 1.0  # the fraction of connections, 0 to 1
    clients: tuple[IPv4Network | IPv6Network, ...] = ()  # whose connections; empty: anybody's
    server_names: tuple[str, ...] = ()  # asked for by TLS, with wildcards; empty: any, or none
    max_bytes: int | None = None  # per connection and direction; None: all of them
    buffer_bytes: int | None = None  # so far may each stream lag; None: its share of the memory
    overflow: Overflow = "detach"  # what happens when it lags further
    spool_bytes: int = 1 << 30  # with overflow "spill", on disk
    scope: Scope = "connection"  # exec: one process for each connection, or one for the route
    own: Any = field(default=None, repr=False)  # what only its kind knows of
    entry: Written | None = None  # its whole URL, where a variable holds options too

    @property
    def is_vital(self) -> bool:
        """Whether there is to be no traffic that it has no record of."""
        return self.overflow == "block"


def parse_mirror(text: str) -> MirrorSettings:
    """Return a mirror; ValueError says what is wrong and what is expected, in one line."""
    return conceals(_parse)(text)


def _parse(text: str) -> MirrorSettings:
    kind = parse_kind(text)
    name, query = kind.split(text)
    written, entry = name, None
    if isinstance(text, Expanded):
        written, is_apart = text.cut_written(len(name))
        entry = None if is_apart else text.written
    try:
        mirror = make_mirror(kind, name, parse_options(kind, query))
    except ValueError as problem:
        raise ValueError(f"{quote(name)}: {problem}") from None
    return replace(mirror, text=written, entry=entry)


def make_mirror(kind: MirrorKind, name: str, options: dict[str, Any]) -> MirrorSettings:
    """Return the mirror of that name, which tells its sink, with options that have been checked."""
    fields = {"direction": kind.direction} | options
    if fields.get("overflow") in _BUFFERED:
        fields.setdefault("buffer_bytes", BUFFER_BYTES)
    sink = kind.parse_sink(name.removeprefix(f"{kind.name}:"), fields)
    return MirrorSettings(
        written_in(name), kind.name, sink.target, sink.address, sink.command, own=sink.own, **fields
    )


def parse_kind(text: str) -> MirrorKind:
    """Return what the scheme says; ValueError says what is wrong with it."""
    if not text or text.isspace():
        raise ValueError(f"the mirror is empty: expected {mirror_forms()}")
    if not (text + written_in(text)).isprintable():  # it is to appear in logs and messages as it is
        raise ValueError(f"mirror {quote(text)} holds a character that is not printable")
    scheme, colon, _ = text.partition(":")
    if not colon:
        raise ValueError(f"{quote(text)} has no scheme: expected {mirror_forms()}")
    if scheme not in KINDS:
        raise ValueError(
            f"scheme {quote(scheme)} in {quote(text)} is not known{suggest(scheme, KINDS)}: "
            f"expected {mirror_forms()}"
        )
    return KINDS[scheme]
