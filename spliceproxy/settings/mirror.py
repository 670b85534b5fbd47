"""Mirrors as users write them: a place where copies of the traffic go, with options after `?`.

`file:`, `tcp:` and `unix:` follow the rules of URLs: the first `?` ends the place, and `%3F` stands
for one inside of it. A command is kept as it is, since `?` is common in commands: the last `?`
starts the options only when nothing but `name=value` pairs joined by `&` follows it. Only `%3F` is
read as something else in a command, as a `?` that never starts options.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import unquote

from spliceproxy.errors import quote, suggest
from spliceproxy.settings.address import Address, parse_backend, parse_tcp
from spliceproxy.settings.mirror_options import Direction, Kind, Overflow, Scope, parse_options

KINDS: tuple[Kind, ...] = get_args(Kind)
MIRROR_FORMS = "file:DIR, tcp://HOST:PORT, unix:PATH, exec:COMMAND or null:"
SHELL = ("/bin/sh", "-c")

_PAIR = r"[A-Za-z_-]+=[\w.%+-]*"
_PAIRS = re.compile(rf"{_PAIR}(?:&{_PAIR})*")


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """One place for copies, which connections and bytes it gets, and its policy when it lags."""

    text: str  # as the user wrote it, without options: its name in logs
    kind: Kind
    target: str  # directory (file), path (unix), host and port (tcp), command (exec), "" (null)
    address: Address | None  # of tcp and unix
    command: tuple[str, ...]  # the arguments to execute, program first; empty unless exec
    direction: Direction
    sample: float = 1.0  # the fraction of connections, 0 to 1
    max_bytes: int | None = None  # per connection and direction; None: all of them
    buffer_bytes: int = 8 << 20  # so far may it lag behind, per connection
    overflow: Overflow = "detach"  # what happens when it lags further
    spool_bytes: int = 1 << 30  # with overflow "spill", on disk
    scope: Scope = "connection"  # exec: one process for each connection, or one for the route


def parse_mirror(text: str) -> MirrorSettings:
    """Return a mirror; ValueError says what is wrong and what is expected, in one line."""
    kind = parse_kind(text)
    name, query = split_options(kind, text)
    try:
        return make_mirror(kind, name, parse_options(kind, query))
    except ValueError as problem:
        raise ValueError(f"{quote(name)}: {problem}") from None


def make_mirror(kind: Kind, name: str, options: dict[str, Any]) -> MirrorSettings:
    """Return the mirror of that name, which is its place, with options that have been checked."""
    shell = options.pop("shell", "no") == "yes"
    target, address, command = _parse_place(kind, name.removeprefix(f"{kind}:"), shell=shell)
    return MirrorSettings(name, kind, target, address, command, **options)


def parse_kind(text: str) -> Kind:
    """Return what the scheme says; ValueError says what is wrong with it."""
    if not text or text.isspace():
        raise ValueError(f"the mirror is empty: expected {MIRROR_FORMS}")
    if not text.isprintable():  # it is to appear in logs and messages as it is
        raise ValueError(f"mirror {quote(text)} holds a character that is not printable")
    scheme, colon, _ = text.partition(":")
    if not colon:
        raise ValueError(f"{quote(text)} has no scheme: expected {MIRROR_FORMS}")
    for kind in KINDS:
        if scheme == kind:
            return kind
    raise ValueError(
        f"scheme {quote(scheme)} in {quote(text)} is not known{suggest(scheme, KINDS)}: "
        f"expected {MIRROR_FORMS}"
    )


def split_options(kind: Kind, text: str) -> tuple[str, str]:
    """Return the place, and the options behind it."""
    if kind != "exec":
        name, _, query = text.partition("?")
        return name, query
    name, _, query = text.rpartition("?")
    return (name, query) if name and _PAIRS.fullmatch(query) else (text, "")


def _parse_place(
    kind: Kind, place: str, *, shell: bool
) -> tuple[str, Address | None, tuple[str, ...]]:
    """Return target, address and command; what a kind does not have is empty."""
    if kind == "exec":
        target = re.sub("%3F", "?", place, flags=re.IGNORECASE)
        return target, None, _parse_command(target, shell=shell)
    if kind == "tcp":
        address: Address = _parse_authority(place)
        return str(address), address, ()
    if kind == "null":
        if place:
            raise ValueError("nothing stands behind null: but options, as in null:?sample=10%")
        return "", None, ()
    path = _parse_path(kind, place)
    return path, parse_backend(f"unix:{path}") if kind == "unix" else None, ()


def _parse_command(text: str, *, shell: bool) -> tuple[str, ...]:
    try:
        # A shell has a syntax of its own, which is its own business.
        command = [*SHELL, text] if shell and text.strip() else shlex.split(text)
    except ValueError as problem:
        raise ValueError(f"the command's quoting is wrong: {str(problem).lower()}") from None
    if not command or not command[0]:
        raise ValueError("the command is empty: expected exec:COMMAND, as in exec:'zstd -qo a.zst'")
    return tuple(command)


def _parse_authority(place: str) -> Address:
    authority = place.removeprefix("//")
    if authority == place or not authority or "/" in authority:
        raise ValueError("expected tcp://HOST:PORT, as in tcp://127.0.0.1:514")
    return parse_tcp(authority.replace("%25", "%"))  # RFC 6874: how URLs write fe80::1%eth0


def _parse_path(kind: Kind, place: str) -> str:
    if place.startswith("//") and not place.startswith("///"):
        raise ValueError(f"a path has no host: expected {kind}:PATH or {kind}:///PATH")
    path = unquote(place.removeprefix("//"), errors="surrogateescape")
    if not path:
        raise ValueError(f"the path is empty: expected {kind}:PATH or {kind}:///PATH")
    if not path.isprintable():
        raise ValueError(f"path {quote(path)} holds a character that is not printable")
    return path
