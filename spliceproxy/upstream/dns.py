"""Asking name servers, with the time for which their answers are valid. Blocks: for a thread."""

import socket
import time
from collections.abc import Sequence

import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import SocketAddress, name_peer
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.dns import SrvAddress
from spliceproxy.upstream.srv_target import SrvTarget

LONGEST_S = 5.0
"""What one question may take, whatever the number of servers."""

MOST_TARGETS = 256
MOST_ADDRESSES = 64


class NameServers:
    """The name servers of the settings, or else those of the system."""

    def __init__(self, servers: Sequence[TcpAddress]) -> None:
        self._servers = servers

    def find_targets(self, address: SrvAddress) -> tuple[list[SrvTarget], float]:
        """Return what the SRV records of a name list, and for how many seconds that is valid.

        Raises:
            StartProblem: there is no answer, or it lists nothing.
        """
        answer = self._ask(address.name, dns.rdatatype.SRV, str(address))
        records = [record for record in answer if isinstance(record, SRV)]
        # A single record with the root as its target says that there is no such service.
        records = [record for record in records if record.target != dns.name.root]
        if not records:
            raise _problem(str(address), "no target is listed")
        records.sort(key=lambda record: (record.priority, record.target, record.port))
        tiers = sorted({record.priority for record in records})
        targets: dict[TcpAddress, SrvTarget] = {}
        for record in records[:MOST_TARGETS]:
            host = record.target.to_text(omit_final_dot=True).lower()
            listed = TcpAddress(host, record.port)
            target = SrvTarget(tiers.index(record.priority), max(record.weight, 1), listed)
            targets.setdefault(listed, target)
        return list(targets.values()), _valid_for_s(answer)

    def find_addresses(self, address: TcpAddress) -> tuple[tuple[SocketAddress, ...], float]:
        """Return the addresses of a name, IPv6 first, and for how many seconds they are valid.

        Raises:
            StartProblem: there is no answer, or no address in it.
        """
        found: list[SocketAddress] = []
        valid_s: list[float] = []
        problem: StartProblem | None = None
        for kind in (dns.rdatatype.AAAA, dns.rdatatype.A):
            try:
                answer = self._ask(address.host or "", kind, str(address))
            except StartProblem as error:
                problem = error
                continue
            valid_s.append(_valid_for_s(answer))
            found += [_socket_address(record, address.port) for record in answer]
        if not found:
            raise problem or _problem(str(address), "no address")
        return tuple(found[:MOST_ADDRESSES]), min(valid_s)

    def _ask(self, name: str, kind: dns.rdatatype.RdataType, what: str) -> dns.resolver.Answer:
        try:
            resolver = dns.resolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers = [
                    dns.nameserver.Do53Nameserver(server.host or "", server.port)
                    for server in self._servers
                ]
            whole = dns.name.from_text(name)
            return resolver.resolve(whole, kind, lifetime=LONGEST_S)
        except (dns.exception.DNSException, OSError) as error:
            raise _problem(what, " ".join(str(error).split())) from error


def _socket_address(record: object, port: int) -> SocketAddress:
    if isinstance(record, AAAA):
        sockaddr: tuple[str, int] | tuple[str, int, int, int] = (record.address, port, 0, 0)
        return SocketAddress(socket.AF_INET6, sockaddr, name_peer(sockaddr))
    assert isinstance(record, A)  # noqa: S101 - no other kind was asked for
    sockaddr = (record.address, port)
    return SocketAddress(socket.AF_INET, sockaddr, name_peer(sockaddr))


def _valid_for_s(answer: dns.resolver.Answer) -> float:
    return max(0.0, answer.expiration - time.time())


def _problem(what: str, why: str) -> StartProblem:
    return StartProblem(f"{what} does not resolve ({why})", "check the name, or give an address")
