"""Where routes listen, looked up: names have become addresses, and accounts numbers.

Plain values, so that a process may do the looking up, which can block, for another.
"""

import errno
import grp
import os
import pwd
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from spliceproxy.errors import StartProblem, alternatives, quote
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.kernel.listening import OWNER_ONLY, Permissions, SocketName, find_tcp
from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.listen_address import InheritedAddress, ListenAddress, SystemdAddress
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.upstream.resolver import needs_lookup


@dataclass(frozen=True, slots=True)
class TcpBind:
    """An address to bind to; without a family: a port of every address."""

    family: int | None
    name: SocketName


@dataclass(frozen=True, slots=True)
class UnixBind:
    """A path to bind to."""

    path: str


@dataclass(frozen=True, slots=True)
class AbstractBind:
    """A unix name without a file."""

    name: str


@dataclass(frozen=True, slots=True)
class InheritedFd:
    """A socket that is open already."""

    fd: int


Bind = TcpBind | UnixBind | AbstractBind | InheritedFd


@dataclass(frozen=True, slots=True)
class ListenTarget:
    """One socket to listen on."""

    bind: Bind
    text: str
    """What the settings call it."""
    permissions: Permissions = OWNER_ONLY
    """Of a unix socket."""
    of_name: bool = False
    """It is one of the addresses of a name, which may have others."""
    entry: int = field(default=0, compare=False)
    """Which of the route's `listen` it stands for; the socket is the same wherever that is."""


def look_up_targets(
    routes: Iterable[RouteSettings], inherited: InheritedSockets
) -> list[list[ListenTarget]]:
    """Return the sockets that each route listens on. Blocks.

    Raises:
        StartProblem: as `find_targets`.
    """
    return [
        [
            replace(target, entry=number)
            for number, listen in enumerate(route.listen)
            for target in find_targets(listen, inherited)
        ]
        for route in routes
    ]


def find_targets(listen: ListenSettings, inherited: InheritedSockets) -> list[ListenTarget]:
    """Return the sockets that a listener of the settings stands for. Blocks.

    Raises:
        StartProblem: a name does not resolve, a user or group is not there, or a socket was not
            passed.
    """
    address, text = listen.address, str(listen.address)
    if isinstance(address, UnixAddress) and address.is_abstract:
        return [ListenTarget(AbstractBind(address.sun_path), text)]
    if isinstance(address, UnixAddress):
        return [ListenTarget(UnixBind(address.path), text, _permissions(listen))]
    if isinstance(address, TcpAddress):
        of_name = address.host is not None and needs_lookup(address)
        return [ListenTarget(bind, text, of_name=of_name) for bind in _find_tcp(address)]
    return [ListenTarget(InheritedFd(fd), text) for fd in _find_inherited(address, inherited)]


def _find_tcp(address: TcpAddress) -> list[TcpBind]:
    if address.host is None:
        return [TcpBind(None, ("", address.port))]
    try:
        return [TcpBind(family, name) for family, name in find_tcp(address.host, address.port)]
    except socket.gaierror as error:
        raise StartProblem(
            f"cannot listen on {address} (does not resolve)", "choose another address"
        ) from error


def _find_inherited(address: ListenAddress, inherited: InheritedSockets) -> list[int]:
    if isinstance(address, InheritedAddress):
        if address.fd not in inherited.listening:
            raise StartProblem(
                f"cannot listen on {address} (it was no listening stream socket at the start)",
                "expected a descriptor that the parent process has left open",
            )
        return [address.fd]
    name = address.name if isinstance(address, SystemdAddress) else None
    found = [fd for fd, passed in inherited.passed if name in (None, passed)]
    if not found:
        names = sorted({quote(passed) for _, passed in inherited.passed})
        what = f"systemd has passed {alternatives(names)}" if names else "systemd has passed none"
        raise StartProblem(
            f"cannot listen on {address} ({what})",
            "expected a socket unit for this service (systemd.socket(5))",
        )
    wrong = [fd for fd in found if fd not in inherited.listening]
    if wrong:
        raise StartProblem(
            f"cannot listen on {address} (descriptor {wrong[0]} is no listening stream socket)",
            "expected ListenStream= and Accept=no in the socket unit",
        )
    return found


def _permissions(listen: ListenSettings) -> Permissions:
    return Permissions(
        mode=OWNER_ONLY.mode if listen.mode is None else listen.mode,
        uid=_number(listen, "owner", listen.owner, lambda name: pwd.getpwnam(name).pw_uid),
        gid=_number(listen, "group", listen.group, lambda name: grp.getgrnam(name).gr_gid),
    )


def _number(
    listen: ListenSettings, what: str, account: str | None, find: Callable[[str], int]
) -> int:
    if account is None:
        return -1
    if account.isdecimal():
        return int(account)
    try:
        return find(account)
    except KeyError:
        raise StartProblem(
            f"cannot listen on {listen.address} ({what} {quote(account)} is not known)",
            "expected a name that this machine has, or a number",
        ) from None


_REMEDIES = {
    errno.EADDRINUSE: "choose another port, or stop the program that listens there (ss -ltnp)",
    errno.EACCES: (
        "ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE; "
        "choose a higher one"
    ),
    errno.EPERM: "giving a socket to another owner needs CAP_CHOWN",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address",
    errno.EAFNOSUPPORT: "this kernel has no IPv6",
    errno.ENOENT: "the directory of the socket does not exist",
    errno.ENOSYS: "unix sockets need /proc: mount it (mount -t proc proc /proc)",
    errno.EMFILE: "raise the file limit (ulimit -n)",
    errno.ESTALE: "its path is somebody else's by now, whose rights are not changed; restart",
}


def refusal(target: ListenTarget, error: OSError) -> StartProblem:
    """Return what is to be told when a target cannot be listened on."""
    number = error.errno or 0
    return StartProblem(
        f"cannot listen on {target.text} ({os.strerror(number)})",
        _REMEDIES.get(number, "choose another address"),
    )
