"""Which backends a route has at a time: those that its entries stand for."""

from collections.abc import Sequence

import structlog

from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.tls.dialer import TlsDialer
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.group import Group, Member
from spliceproxy.upstream.health import CountTransition, judging, nobody_counts


class Membership:
    """The backends by the entry that they come from.

    One that is found again stays what it is, with its connections, its health and its turn.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        settings: RouteSettings,
        table: SharedTable,
        count: CountTransition = nobody_counts,
        *,
        slot: int,
        tells: bool,
        tls: Sequence[TlsDialer | None] | None = None,
    ) -> None:
        """One worker tells the log of what comes and goes; `tls` is that of each entry."""
        self._table = table
        self._slot = slot
        self._count = count
        self._judging = judging(settings.name, settings)
        self._tells = tells
        self._tls = tls or [None] * len(groups)
        self._by_entry = [
            [self._make(member, member.name, number) for member in group.members]
            for number, group in enumerate(groups)
        ]

    @property
    def backends(self) -> list[Backend]:
        """All that there are now, in the order of the entries."""
        return [backend for backends in self._by_entry for backend in backends]

    def replace(self, number: int, group: Group) -> bool:
        """Take over what an entry stands for now; whether balancing has to know."""
        before = self._by_entry[number]
        known = {backend.resolved.address: backend for backend in before}
        names = {backend.state.name for backend in self.backends}
        tiers = [backend.state.tier for backend in before]
        after = []
        for member in group.members:
            backend = known.get(member.resolved.address)
            if backend is None:
                name = _free_name(member.name, names)
                names.add(name)
                backend = self._make(member, name, number)
            else:
                backend.update(member)
            after.append(backend)
        self._by_entry[number] = after
        self._tell(before, after)
        return before != after or tiers != [backend.state.tier for backend in after]

    def share_health(self) -> None:
        """Share what could not be shared yet, as the table was full."""
        for backend in self.backends:
            backend.share_health(self._judging, self._table)

    def show(self) -> None:
        """Tell readers of the shared table that these are the backends."""
        for backend in self.backends:
            backend.health.show()

    def _make(self, member: Member, name: str, number: int) -> Backend:
        whole = (member, name, self._judging, self._table, self._count)
        return Backend(*whole, slot=self._slot, tls=self._tls[number])

    def _tell(self, before: list[Backend], after: list[Backend]) -> None:
        come = [backend.state.name for backend in after if backend not in before]
        gone = [backend.state.name for backend in before if backend not in after]
        if self._tells and (come or gone):
            structlog.get_logger().info(
                "backends_changed", route=self._judging.route, come=come, gone=gone
            )


def _free_name(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}#{number}"
    return free
