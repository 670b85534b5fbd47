"""What stands around the proxies of a soak: backends, sinks, and the names of backends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from tools.soak import programs
from tools.soak.addresses import ServerAddresses
from tools.soak.dns_server import DnsServer, serving_dns
from tools.soak.programs import Program

SRV_NAME = "_soak._tcp.soak.test"
HOST_NAME = "backend.soak.test"
TTL_S = 1
BACKENDS = 3


@dataclass(frozen=True)
class Setting:
    """Servers that all proxies of a soak share."""

    directory: Path
    addresses: ServerAddresses
    backends: Sequence[Program]
    """At addresses that differ in the host alone, so that one name can stand for them."""
    steady_sink: Program
    stalling_sink: Program
    dying_sink: Program
    names: DnsServer

    @property
    def programs(self) -> list[Program]:
        return [*self.backends, self.steady_sink, self.stalling_sink, self.dying_sink]

    @property
    def backend_port(self) -> int:
        return self.backends[0].address.port

    async def start(self) -> None:
        async with trio.open_nursery() as nursery:
            for program in self.programs:
                nursery.start_soon(program.start)

    def list_backends(self, numbers: Sequence[int]) -> None:
        """Have the names stand for these backends from now on."""
        zone = self.names.zone
        hosts = [self.backends[number].address.host for number in numbers]
        records = [f"0 1 {self.backend_port} b{number}.soak.test." for number in numbers]
        zone[HOST_NAME, "A"] = (TTL_S, hosts)
        zone[SRV_NAME, "SRV"] = (TTL_S, records)


@contextmanager
def setting(directory: Path) -> Iterator[Setting]:
    """Yield the servers, of which none runs yet but the name server; end all with the block."""
    addresses = ServerAddresses()
    first = addresses.take()
    at = [first, *(addresses.take(first.port) for _ in range(BACKENDS - 1))]
    with ExitStack() as running:
        backends = [
            running.enter_context(programs.backend(f"backend{number}", address, directory))
            for number, address in enumerate(at)
        ]
        steady, stalling, dying = (
            running.enter_context(programs.sink(f"{name}-sink", addresses.take(), directory))
            for name in ("steady", "stalling", "dying")
        )
        names = running.enter_context(
            serving_dns(
                {
                    (f"b{number}.soak.test", "A"): (TTL_S, [address.host])
                    for number, address in enumerate(at)
                }
            )
        )
        found = Setting(directory, addresses, backends, steady, stalling, dying, names)
        found.list_backends(range(BACKENDS))
        yield found
