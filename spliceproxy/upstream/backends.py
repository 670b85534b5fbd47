"""The backends of a route, as they are at this moment."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import structlog
import trio

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.policy.balance.names import make_pool
from spliceproxy.policy.balance.state import BackendState
from spliceproxy.settings.address import Address
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.upstream.resolve import needs_lookup, resolve

LOOKUP_INTERVAL_S = 30.0
"""How often names are looked up again; live connections are not touched."""


@dataclass(slots=True)
class Backend:
    """One backend, and the socket addresses that its name stands for now."""

    address: Address
    name: str
    sockets: tuple[SocketAddress, ...]


class Backends:
    """Says which addresses to try for a connection, in which order.

    Plain order, not happy eyeballs: backend after backend, round robin; within a backend its
    addresses one after the other as the resolver sorted them.
    """

    def __init__(self, backends: list[Backend], *, first: int = 0) -> None:
        self._backends = backends
        states = [BackendState(index, each.name) for index, each in enumerate(backends)]
        self._pool = make_pool("round_robin", states, random.random, skipped_turns=first)

    def targets(self) -> Iterator[SocketAddress]:
        """Addresses to try for the next connection."""
        if len(self._backends) == 1:
            return iter(self._backends[0].sockets)
        order = self._pool.order()
        return (address for state in order for address in self._backends[state.index].sockets)

    async def keep_resolved(self) -> None:
        """Look the names up again from time to time; a failing lookup changes nothing."""
        named = [backend for backend in self._backends if needs_lookup(backend.address)]
        log = structlog.get_logger()
        while named:
            await trio.sleep(LOOKUP_INTERVAL_S)
            for backend in named:
                try:
                    backend.sockets = await trio.to_thread.run_sync(
                        resolve, backend.address, abandon_on_cancel=True
                    )
                except (StartProblem, RuntimeError) as error:  # RuntimeError: no thread to be had
                    log.warning("lookup_failed", backend=backend.name, error=str(error))


def resolve_mirrors(mirrors: tuple[MirrorSettings, ...]) -> list[Backends | None]:
    """Look up those mirrors that are connected to; None stands for the others.

    Raises:
        StartProblem: a name does not resolve.
    """
    return [
        None if mirror.address is None else Backends(resolve_backends((mirror.address,)))
        for mirror in mirrors
    ]


def resolve_backends(addresses: tuple[Address, ...]) -> list[Backend]:
    """Look all backends up.

    Raises:
        StartProblem: a name does not resolve.
    """
    return [Backend(address, str(address), resolve(address)) for address in addresses]
