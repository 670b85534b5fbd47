"""A backend in one worker: where it is, how it is connected to, and who is connected."""

import time
from collections.abc import Callable, Iterable, Set

from spliceproxy import reasons
from spliceproxy.formats.proxy_protocol import version1
from spliceproxy.formats.proxy_protocol.header import ProxiedClient
from spliceproxy.formats.proxy_protocol.introduction import introduce
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.kernel.addresses import SocketAddress, family_of
from spliceproxy.policy.balance.state import BackendState
from spliceproxy.tls.dialer import TlsDialer
from spliceproxy.upstream.address_order import AddressOrder
from spliceproxy.upstream.group import Member
from spliceproxy.upstream.health import (
    BackendHealth,
    CountTransition,
    Judging,
    claim_rows,
    nobody_counts,
)
from spliceproxy.upstream.shared_room import SharedRoom

Header = Callable[[ProxiedClient], bytes]
"""Makes a PROXY protocol header."""


def _encode_version1(client: ProxiedClient) -> bytes:
    return version1.encode(client.source, client.destination)


HEADERS: dict[str | None, Header] = {"v1": _encode_version1, "v2": introduce}


class Backend:
    """What a route knows of one of its backends; `state` is what balancing knows of it."""

    __slots__ = (
        "addresses",
        "header",
        "health",
        "loops",
        "resolved",
        "room",
        "settings",
        "sockets",
        "state",
        "tls",
    )

    def __init__(
        self,
        member: Member,
        name: str,
        judging: Judging,
        table: SharedTable,
        count: CountTransition = nobody_counts,
        *,
        slot: int = 0,
        tls: TlsDialer | None = None,
    ) -> None:
        self.settings = settings = member.settings
        self.resolved = member.resolved
        self.tls = tls
        """What a connection to it is secured by; None: it speaks no TLS."""
        self.addresses: AddressOrder | None = None
        """Which of several addresses is tried first; None if there is one at most."""
        self.loops = False
        """Whether addresses are avoided, as they lead back to its own route."""
        self._take_sockets()
        self.header = HEADERS.get(settings.send_proxy)
        """What a connection begins with; None if with the client's first byte."""
        self.state = BackendState(
            0,  # until a pool gives it its index
            name,
            weight=member.weight,
            tier=member.tier,
        )
        self.room: SharedRoom | None = None
        """What is to be told of each connection; None where there is no limit."""
        if settings.max_connections is not None:
            self.room = SharedRoom(table, slot, judging.route, self.state, settings.max_connections)
        rows = claim_rows(judging, name, table)
        self.health = BackendHealth(judging, self.state, *rows, count=count)

    def update(self, member: Member) -> None:
        """Take over what has changed of it; where nothing is found any more, what was stays."""
        if member.resolved.sockets:
            self.resolved = member.resolved
            self._take_sockets()
        self.state.tier = member.tier
        self.health.set_weight(member.weight)

    def share_health(self, judging: Judging, table: SharedTable) -> None:
        """Share its health with other workers, if the table was full before."""
        if not self.health.is_shared:
            self.health.share(*claim_rows(judging, self.state.name, table))

    def avoid(self, looping: Set[SocketAddress]) -> None:
        """Connect to none of these."""
        self._take_sockets(looping)

    def _take_sockets(self, avoided: Set[SocketAddress] = frozenset()) -> None:
        source = self.settings.source
        self.sockets = tuple(each for each in self.resolved.sockets if each not in avoided)
        self.loops = len(self.sockets) < len(self.resolved.sockets)
        if source is not None:
            family = family_of(source)
            self.sockets = tuple(each for each in self.sockets if each.family == family)
        if len(self.sockets) < 2:
            self.addresses = None
            return
        if self.addresses is None:
            self.addresses = AddressOrder()
        self.addresses.replace(self.sockets)

    def targets(self, client: bytes = b"") -> Iterable[SocketAddress]:
        """Return the socket addresses to try, one after the other; for which client if given."""
        if self.addresses is None:
            return self.sockets
        return self.addresses.take(time.monotonic(), client)

    def targets_of_check(self) -> Iterable[SocketAddress]:
        """Return the socket addresses to check, until one passes."""
        if self.addresses is None:
            return self.sockets
        return self.addresses.look(time.monotonic())

    def note(self, target: SocketAddress, error: str) -> None:
        """Take note of how an address answered, with an error unless that is empty."""
        if self.addresses is None or error in reasons.OWN:
            return
        if error:
            self.addresses.failed(target, time.monotonic())
        else:
            self.addresses.answered(target)
