"""A place to connect to, and the socket addresses that its name stands for now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
import trio

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.settings.address import Address
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.upstream.resolve import needs_lookup, resolve

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


async def keep_resolved(places: Sequence[Resolved], interval_s: float) -> None:
    """Look the names up again from time to time; a failing lookup changes nothing."""
    named = [place for place in places if needs_lookup(place.address)]
    log = structlog.get_logger()
    while named:
        await trio.sleep(interval_s)
        for place in named:
            try:
                place.sockets = await trio.to_thread.run_sync(
                    resolve, place.address, abandon_on_cancel=True
                )
            except (StartProblem, RuntimeError) as error:  # RuntimeError: no thread to be had
                log.warning("lookup_failed", backend=place.name, error=str(error))


def resolve_mirrors(mirrors: tuple[MirrorSettings, ...]) -> list[Resolved | None]:
    """Look up those mirrors that are connected to; None stands for the others.

    Raises:
        StartProblem: a name does not resolve.
    """
    return [None if mirror.address is None else resolve_place(mirror.address) for mirror in mirrors]


def resolve_place(address: Address) -> Resolved:
    """Look an address up.

    Raises:
        StartProblem: the name does not resolve.
    """
    return Resolved(address, str(address), resolve(address))
