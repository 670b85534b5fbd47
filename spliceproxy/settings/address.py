"""Addresses as users write them: `[HOST:]PORT`, `[V6]:PORT`, `unix:PATH` and `unix:@NAME`."""

import os
from dataclasses import dataclass

from spliceproxy.errors import quote
from spliceproxy.settings.hosts import check_host, check_ipv6

# sun_path has 108 bytes, and the terminating NUL is one of them (unix(7)).
MAX_UNIX_PATH_BYTES = 107

UNIX_PREFIX = "unix:"
ABSTRACT_PREFIX = "@"
BOUND_FORMS = "[HOST:]PORT, [IPV6]:PORT or unix:PATH"
BACKEND_FORMS = "HOST:PORT, [IPV6]:PORT or unix:PATH"
TCP_FORMS = "HOST:PORT or [IPV6]:PORT"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host (None: every address of this machine, IPv4 and IPv6) and a port."""

    host: str | None
    port: int

    def __str__(self) -> str:
        if self.host is None:
            return str(self.port)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """The path of a unix stream socket, or ``@`` and a name that is in no file system."""

    path: str

    def __str__(self) -> str:
        return UNIX_PREFIX + self.path

    @property
    def is_abstract(self) -> bool:
        """Whether it is a name alone: no file's rights say who may connect (unix(7))."""
        return self.path.startswith(ABSTRACT_PREFIX)

    @property
    def sun_path(self) -> str:
        """What bind(2) and connect(2) take: an abstract name begins with a NUL."""
        return f"\0{self.path[1:]}" if self.is_abstract else self.path


Address = TcpAddress | UnixAddress


def parse_bound(text: str, forms: str) -> Address:
    """Return an address of this machine; ValueError says what is wrong, and names the forms."""
    if text.isascii() and text.isdecimal():
        return TcpAddress(None, _parse_port(text, text, lowest=0))
    return _parse(text, forms, lowest_port=0)


def parse_backend(text: str) -> Address:
    """Return where to connect to; ValueError says what is wrong and what is expected."""
    if text.isascii() and text.isdecimal():
        raise ValueError(f"{quote(text)} has no host: expected {BACKEND_FORMS}")
    return _parse(text, BACKEND_FORMS, lowest_port=1)


def parse_tcp(text: str) -> TcpAddress:
    """Return a host and port to connect to, where nothing but TCP is possible."""
    return _parse_tcp(text, TCP_FORMS, lowest_port=1)


def parse_unix(text: str) -> UnixAddress:
    """Return the socket of ``unix:PATH``."""
    return UnixAddress(_check_unix_path(text.removeprefix(UNIX_PREFIX)))


def _parse(text: str, forms: str, *, lowest_port: int) -> Address:
    if text.startswith(UNIX_PREFIX):
        return parse_unix(text)
    return _parse_tcp(text, forms, lowest_port=lowest_port)


def _parse_tcp(text: str, forms: str, *, lowest_port: int) -> TcpAddress:
    if not text or text.isspace():
        raise ValueError(f"the address is empty: expected {forms}")
    if "/" in text:
        raise ValueError(
            f"{quote(text)} looks like a URL or a path: expected {forms}, without a scheme"
        )
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not rest.startswith(":"):
            raise ValueError(f"{quote(text)} is incomplete: expected [IPV6]:PORT, as in [::1]:80")
        return TcpAddress(check_ipv6(host), _parse_port(rest[1:], text, lowest=lowest_port))
    host, colon, port = text.rpartition(":")
    if colon and not host:
        raise ValueError(f"{quote(text)} has an empty host: expected {forms}")
    if not colon:
        raise ValueError(f"{quote(text)} has no port: expected {forms}")
    if ":" in host:
        raise ValueError(_explain_many_colons(text, host, port))
    return TcpAddress(check_host(host), _parse_port(port, text, lowest=lowest_port))


def _parse_port(port: str, text: str, *, lowest: int) -> int:
    if not (port.isascii() and port.isdecimal()):
        raise ValueError(f"{quote(text)} has no valid port: expected a number, {lowest} to 65535")
    # Five digits at most: int() refuses very long ones with a text of its own.
    digits = port.lstrip("0") or "0"
    if len(digits) > 5 or not lowest <= int(digits) <= 65535:
        raise ValueError(f"the port of {quote(text)} is out of range: expected {lowest} to 65535")
    return int(digits)


def _explain_many_colons(text: str, host: str, port: str) -> str:
    """Tell an IPv6 address without brackets from plain nonsense, and show the way to write it."""
    port = port if port.isdecimal() and len(port) <= 5 else "PORT"
    for literal, suffix in ((host, port), (text, "PORT")):
        try:
            return (
                f"{quote(text)} is ambiguous: IPv6 addresses are written in brackets, "
                f"as in [{check_ipv6(literal)}]:{suffix}"
            )
        except ValueError:
            continue
    return f"{quote(text)} has too many colons: expected HOST:PORT, or [IPV6]:PORT"


def _check_unix_path(path: str) -> str:
    if not path:
        raise ValueError("the socket's path is empty: expected unix:PATH, as in unix:/run/app.sock")
    if path == ABSTRACT_PREFIX:  # to bind to no name is to have the kernel choose one
        raise ValueError("the abstract socket has no name: expected unix:@NAME, as in unix:@app")
    if not path.isprintable():  # it is to appear in logs and messages as it is
        raise ValueError(f"path {quote(path)} holds a character that is not printable")
    try:
        length = len(os.fsencode(path))
    except UnicodeError:
        raise ValueError(f"path {quote(path)} cannot be encoded for the file system") from None
    if length > MAX_UNIX_PATH_BYTES:
        raise ValueError(
            f"path {quote(path)} has {length} bytes: "
            f"a socket's path has at most {MAX_UNIX_PATH_BYTES}"
        )
    return path
