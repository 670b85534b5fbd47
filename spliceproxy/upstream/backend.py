"""A backend in one worker: where it is, how it is connected to, and who is connected."""

from collections.abc import Callable, Iterator

from spliceproxy.formats.proxy_protocol import version1, version2
from spliceproxy.formats.proxy_protocol.header import PeerAddress
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.kernel.addresses import SocketAddress, family_of
from spliceproxy.policy.balance.state import UNLIMITED, BackendState
from spliceproxy.upstream.group import Member
from spliceproxy.upstream.health import BackendHealth, Judging, claim_row

Header = Callable[[PeerAddress | None, PeerAddress | None], bytes]
"""Makes a PROXY protocol header of the client's address and the one it connected to."""

HEADERS: dict[str | None, Header] = {"v1": version1.encode, "v2": version2.encode}


class Backend:
    """What a route knows of one of its backends; `state` is what balancing knows of it."""

    __slots__ = ("header", "health", "resolved", "settings", "state")

    def __init__(
        self,
        member: Member,
        name: str,
        judging: Judging,
        table: SharedTable,
    ) -> None:
        self.settings = settings = member.settings
        self.resolved = member.resolved
        self.header = HEADERS.get(settings.send_proxy)
        """What a connection begins with; None if with the client's first byte."""
        self.state = BackendState(
            0,  # until a pool gives it its index
            name,
            weight=member.weight,
            tier=member.tier,
            max_connections=settings.max_connections or UNLIMITED,
        )
        row = claim_row(table, judging.row_name(name))
        orders = claim_row(table, judging.orders_row_name(name))
        self.health = BackendHealth(judging, self.state, row, orders)

    def update(self, member: Member) -> None:
        """Take over what has changed of it; where nothing is found any more, what was stays."""
        if member.resolved.sockets:
            self.resolved = member.resolved
        self.state.tier = member.tier
        self.health.set_weight(member.weight)

    def targets(self) -> Iterator[SocketAddress]:
        """Return the socket addresses to try, one after the other."""
        source = self.settings.source
        if source is None:
            return iter(self.resolved.sockets)
        family = family_of(source)
        return (target for target in self.resolved.sockets if target.family == family)
