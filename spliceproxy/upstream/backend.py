"""A backend in one worker: where it is, how it is connected to, and who is connected."""

from collections.abc import Callable, Iterator

from spliceproxy.formats.proxy_protocol import version1, version2
from spliceproxy.formats.proxy_protocol.header import Place
from spliceproxy.kernel.addresses import SocketAddress, family_of
from spliceproxy.kernel.shared_table import SharedTable
from spliceproxy.policy.balance.state import UNLIMITED, BackendState
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.upstream.health import BackendHealth, Judging, claim_row
from spliceproxy.upstream.resolved import Resolved

Header = Callable[[Place | None, Place | None], bytes]
"""Makes a PROXY protocol header of the client's place and the one it connected to."""

HEADERS: dict[str | None, Header] = {"v1": version1.encode, "v2": version2.encode}


class Backend:
    """What a route knows of one of its backends; `state` is what balancing knows of it."""

    __slots__ = ("header", "health", "resolved", "settings", "state")

    def __init__(
        self,
        settings: BackendSettings,
        resolved: Resolved,
        index: int,
        judging: Judging,
        table: SharedTable,
    ) -> None:
        self.settings = settings
        self.resolved = resolved
        self.header = HEADERS.get(settings.send_proxy)
        """What a connection begins with; None if with the client's first byte."""
        self.state = BackendState(
            index,
            resolved.name,
            weight=settings.weight,
            tier=int(settings.backup),
            max_connections=settings.max_connections or UNLIMITED,
        )
        row = claim_row(table, judging.row_name(resolved.name))
        self.health = BackendHealth(judging, self.state, row)

    def targets(self) -> Iterator[SocketAddress]:
        """Return the socket addresses to try, one after the other."""
        source = self.settings.source
        if source is None:
            return iter(self.resolved.sockets)
        family = family_of(source)
        return (target for target in self.resolved.sockets if target.family == family)
