"""Orders of the operator for mirrors of routes, written where all workers read them."""

from dataclasses import dataclass

from spliceproxy.admin.messages import RefusedError
from spliceproxy.admin.order_cells import order_cells
from spliceproxy.errors import quote
from spliceproxy.ipc.description import Description, MirrorDescription
from spliceproxy.ipc.mirror_orders import write_sample, write_state
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.settings.units import parse_percent

STATES = ("on", "off")
CONFIGURED = "configured"
"""A sample that takes an order back."""


def find_mirror(description: Description, route: str, mirror: str) -> MirrorDescription:
    """Return the mirror of that name that a route is configured with.

    Raises:
        RefusedError: there is none.
    """
    routes = {one.name: one for one in description.routes}
    if route not in routes:
        raise RefusedError(404, _unknown("route", route, list(routes)))
    mirrors = {one.name: one for one in routes[route].mirrors}
    if mirror not in mirrors:
        raise RefusedError(404, _unknown("mirror", mirror, list(mirrors)))
    return mirrors[mirror]


@dataclass(frozen=True, slots=True)
class MirrorOrder:
    """What is ordered; None leaves it as it is.

    Raises:
        RefusedError: there is no such state, or it is no sample.
    """

    state: str | None = None
    """``on`` or ``off``."""
    sample: str | None = None
    """A percentage, or ``configured``."""
    now: bool = False
    """With ``off``: end streams that are open, too."""

    def __post_init__(self) -> None:
        if self.state is None and self.sample is None:
            raise RefusedError(400, "nothing is ordered: state or sample")
        if self.state not in (None, *STATES):
            raise RefusedError(400, f"{repr(self.state)[:60]} is no state: {', '.join(STATES)}")
        if self.now not in (True, False) or (self.now and self.state != "off"):
            raise RefusedError(400, "now is true or false, and true only with state off")
        if self.sample is not None and self.sample != CONFIGURED:
            try:
                parse_percent(str(self.sample))
            except ValueError as problem:
                raise RefusedError(400, f"sample: {problem}") from None

    def give(self, table: SharedTable, mirror: MirrorDescription) -> None:
        """Write it where the workers read it, whenever a connection begins.

        Raises:
            RefusedError: nobody would read it.
        """
        with order_cells(table, mirror.order_row) as cells:
            if self.sample is not None:
                sample = None if self.sample == CONFIGURED else parse_percent(self.sample)
                write_sample(cells, sample)
            if self.state is not None:
                write_state(cells, on=self.state == "on")


def _unknown(what: str, name: str, known: list[str]) -> str:
    return f"there is no {what} {quote(name)}: {', '.join(known[:20]) or 'the route has none'}"
