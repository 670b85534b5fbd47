"""Where to listen, as users write it: an address, or a socket that somebody else has opened."""

from dataclasses import dataclass

from spliceproxy.errors import quote
from spliceproxy.settings.address import (
    TcpAddress,
    UnixAddress,
    parse_bound,
)

FD_PREFIX = "fd:"
SYSTEMD = "systemd"
LISTEN_FORMS = "[HOST:]PORT, [IPV6]:PORT, unix:PATH, fd:N, systemd or systemd:NAME"

_LOWEST_FD = 3  # standard input, output and error come before
_HIGHEST_FD = 2**20
MAX_NAME_LENGTH = 255  # sd_listen_fds_with_names(3)


@dataclass(frozen=True, slots=True)
class InheritedAddress:
    """A listening socket that is open when the command starts, by its descriptor's number."""

    fd: int

    def __str__(self) -> str:
        return f"{FD_PREFIX}{self.fd}"


@dataclass(frozen=True, slots=True)
class SystemdAddress:
    """The sockets of that name which systemd has passed (None: all of them)."""

    name: str | None

    def __str__(self) -> str:
        return SYSTEMD if self.name is None else f"{SYSTEMD}:{self.name}"


ListenAddress = TcpAddress | UnixAddress | InheritedAddress | SystemdAddress


def parse_listen(text: str) -> ListenAddress:
    """Return where to listen; ValueError says what is wrong and what is expected.

    A port alone stands for every address, and port 0 for one that the kernel picks.
    """
    if text.startswith(FD_PREFIX):
        return InheritedAddress(_parse_fd(text))
    if text == SYSTEMD:
        return SystemdAddress(None)
    if text.startswith(f"{SYSTEMD}:"):
        name = text.removeprefix(f"{SYSTEMD}:")
        return SystemdAddress(_check_name(text, name))
    return parse_bound(text, LISTEN_FORMS)


def _parse_fd(text: str) -> int:
    number = text.removeprefix(FD_PREFIX)
    plain = number.isascii() and number.isdecimal() and len(number) <= len(str(_HIGHEST_FD))
    if not plain or not _LOWEST_FD <= int(number) <= _HIGHEST_FD:
        raise ValueError(
            f"{quote(text)} is no descriptor to listen on: expected fd:{_LOWEST_FD} or above"
        )
    return int(number)


def _check_name(text: str, name: str) -> str:
    """Return a name that a socket unit may give (FileDescriptorName= in systemd.socket(5))."""
    if not name or len(name) > MAX_NAME_LENGTH or not name.isascii() or not name.isprintable():
        raise ValueError(
            f"{quote(text)} has no valid name: expected what FileDescriptorName= of the socket "
            "unit says, or the unit's own name"
        )
    return name
