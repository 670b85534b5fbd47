"""The backends that one entry of a route stands for: one, or those that its SRV records list."""

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import SocketAddress, family_of
from spliceproxy.kernel.sockets import bind_source
from spliceproxy.settings.address import Address
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import SrvAddress
from spliceproxy.upstream.resolved import Resolved
from spliceproxy.upstream.resolver import Resolver, needs_lookup
from spliceproxy.upstream.srv_target import SrvTarget

_BACKUP_TIER = 1 << 16
"""Above those that SRV priorities can make, which have 16 bits."""


@dataclass(frozen=True, slots=True)
class Member:
    """A backend as it was found: what is wanted of it, where it is, how much it is to get."""

    settings: BackendSettings
    resolved: Resolved
    weight: int
    tier: int

    @property
    def name(self) -> str:
        """What the log calls it."""
        return self.resolved.name


@dataclass(frozen=True, slots=True)
class Group:
    """The backends that an entry of the settings stands for, at a time."""

    settings: BackendSettings
    members: tuple[Member, ...]
    valid_s: float | None
    """For how long, as the name server says; None: it does not."""
    changes: bool
    """Whether it is worth while to look it up again."""


def find_groups(
    backends: Sequence[BackendSettings], resolver: Resolver, *, strict: bool = True
) -> list[Group]:
    """Look all backends of a route up. Blocks.

    Unless it is strict, one that resolves is enough; the others are told of, and looked up again
    with the others.

    Raises:
        StartProblem: a name does not resolve, or no interface has an address to connect from.
    """
    groups, problems = [], []
    for backend in backends:
        _check_source(backend.source)
        try:
            groups.append(_find_some(backend, resolver))
        except StartProblem as problem:
            groups.append(_unresolved(backend))
            problems.append(problem)
    if problems and (strict or len(problems) == len(backends)):
        raise problems[0]
    for told in problems:
        structlog.get_logger().warning("name_unresolved", problem=str(told))
    _tell_apart(member for group in groups for member in group.members)
    return groups


def _find_some(backend: BackendSettings, resolver: Resolver) -> Group:
    group = find_group(backend, resolver)
    if not any(member.resolved.sockets for member in group.members):
        raise StartProblem(f"no target of {backend.address} resolves", "check the records")
    return group


def _unresolved(backend: BackendSettings) -> Group:
    """Return what stands for a backend until its name resolves."""
    address, tier = backend.address, _BACKUP_TIER * backend.backup
    if isinstance(address, SrvAddress):
        return Group(backend, (), None, changes=True)
    member = Member(backend, Resolved(address, str(address), ()), backend.weight, tier)
    return Group(backend, (member,), None, changes=True)


def _check_source(ip: str | None) -> None:
    """Make sure that connections can come from this address, if one is given.

    Raises:
        StartProblem: no interface of this machine has it.
    """
    if ip is None:
        return
    try:
        with socket.socket(family_of(ip), socket.SOCK_STREAM) as sock:
            bind_source(sock, ip)
    except OSError as error:
        raise StartProblem(
            f"cannot connect from the source {ip} ({os.strerror(error.errno or 0)})",
            "give an address of this machine (ip address)",
        ) from error


def find_group(settings: BackendSettings, resolver: Resolver) -> Group:
    """Look a backend up, or those that are listed under its name. Blocks.

    Raises:
        StartProblem: it does not resolve.
    """
    address, tier = settings.address, _BACKUP_TIER * settings.backup
    if not isinstance(address, SrvAddress):
        sockets, valid_s = resolver.find(address)
        member = Member(settings, Resolved(address, str(address), sockets), settings.weight, tier)
        return Group(settings, (member,), valid_s, needs_lookup(address))
    targets, valid_s = resolver.find_targets(address)
    members = []
    for target in targets:
        sockets, target_valid_s = _find_target(target, resolver)
        valid_s = min(valid_s, valid_s if target_valid_s is None else target_valid_s)
        resolved = Resolved(target.address, str(target.address), sockets)
        members.append(Member(settings, resolved, target.weight, tier + target.tier))
    return Group(settings, tuple(members), valid_s, changes=True)


def _find_target(
    target: SrvTarget, resolver: Resolver
) -> tuple[tuple[SocketAddress, ...], float | None]:
    """Look a target up; one that does not resolve must not be the end of the others."""
    try:
        return resolver.find(target.address)
    except StartProblem as error:
        structlog.get_logger().warning(
            "lookup_failed", backend=str(target.address), error=str(error)
        )
        return (), None


def _tell_apart(members: Iterator[Member]) -> None:
    """Give the second backend of an address, and further ones, a number."""
    seen: dict[Address, int] = {}
    for member in members:
        address = member.resolved.address
        seen[address] = seen.get(address, 0) + 1
        if seen[address] > 1:
            member.resolved.name += f"#{seen[address]}"
