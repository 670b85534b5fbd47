"""An address to connect to, and the socket addresses that its name stands for now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
import trio

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.settings.address import Address
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.written import Written
from spliceproxy.upstream.resolver import needs_lookup, resolve

LOOKUP_INTERVAL_S = 30.0
"""How often names are looked up again; live connections are not touched."""


@dataclass(slots=True)
class Resolved:
    """An address, and what it stands for: as many as it has, in the order to try them in."""

    address: Address
    name: str
    sockets: tuple[SocketAddress, ...]

    def targets(self) -> Iterator[SocketAddress]:
        """Return what to try for the next connection."""
        return iter(self.sockets)


async def keep_resolved(kept: Sequence[Resolved], interval_s: float) -> None:
    """Look the names up again from time to time; a failing lookup changes nothing."""
    named = [each for each in kept if needs_lookup(each.address)]
    log = structlog.get_logger()
    while named:
        await trio.sleep(interval_s)
        for each in named:
            try:
                each.sockets = await trio.to_thread.run_sync(
                    _resolve, each.address, each.name, abandon_on_cancel=True
                )
            except (StartProblem, RuntimeError) as error:  # RuntimeError: no thread to be had
                log.warning("lookup_failed", backend=each.name, error=str(error))


def resolve_mirrors(
    mirrors: tuple[MirrorSettings, ...], *, strict: bool = True
) -> list[Resolved | None]:
    """Look up those mirrors that are connected to; None stands for the others.

    Unless it is strict, a mirror that traffic can do without may be found later.

    Raises:
        StartProblem: a name does not resolve.
    """
    return [
        None if mirror.address is None else _find(mirror, mirror.address, strict=strict)
        for mirror in mirrors
    ]


def _find(mirror: MirrorSettings, address: Address, *, strict: bool) -> Resolved:
    name = mirror.text if isinstance(mirror.text, Written) else str(address)
    try:
        return Resolved(address, name, _resolve(address, name))
    except StartProblem as problem:
        if strict or mirror.is_vital:
            raise
        structlog.get_logger().warning("name_unresolved", problem=str(problem))
        return Resolved(address, name, ())


def _resolve(address: Address, name: str) -> tuple[SocketAddress, ...]:
    """Look an address up that messages have another name for."""
    try:
        return resolve(address)
    except StartProblem as problem:
        if name == str(address):
            raise
        why = f"{name} does not resolve ({problem.__cause__})"
        raise StartProblem(why, problem.remedy) from None
