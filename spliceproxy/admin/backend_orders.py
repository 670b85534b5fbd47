"""Orders of the operator for single backends, written where all workers read them."""

from dataclasses import dataclass

from spliceproxy.admin.messages import RefusedError
from spliceproxy.admin.order_cells import order_cells
from spliceproxy.ipc.description import BackendDescription, Description
from spliceproxy.ipc.health_cells import Admin, BackendOrderCell
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.settings.backend import MAX_WEIGHT

STATES = {"up": Admin.NORMAL, "drain": Admin.DRAIN, "disabled": Admin.DISABLED}
"""What may be ordered; `up` leaves it to checks and connects again."""


def find_backend(description: Description, route: str, backend: str) -> BackendDescription:
    """Return the backend of that name.

    Raises:
        RefusedError: there is none.
    """
    for one in description.routes:
        if one.name == route:
            break
    else:
        raise RefusedError(404, _unknown("route", route, [one.name for one in description.routes]))
    for found in one.backends:
        if found.name == backend:
            return found
    known = [found.name for found in one.backends]
    raise RefusedError(404, _unknown("backend", backend, known))


@dataclass(frozen=True, slots=True)
class BackendOrder:
    """What is ordered; None leaves it as it is.

    Raises:
        RefusedError: there is no such state, or it is no weight.
    """

    state: str | None = None
    """``up``, ``drain`` or ``disabled``."""
    weight: int | None = None
    """The one of the configuration takes an order back."""

    def __post_init__(self) -> None:
        if self.state is None and self.weight is None:
            raise RefusedError(400, "nothing is ordered: state or weight")
        if self.state not in (None, *STATES):
            raise RefusedError(400, f"{_shown(self.state)} is no state: {', '.join(STATES)}")
        if self.weight is not None and (
            type(self.weight) is not int or not 1 <= self.weight <= MAX_WEIGHT
        ):
            raise RefusedError(400, f"{_shown(self.weight)} is no weight: 1 to {MAX_WEIGHT}")

    def give(self, table: SharedTable, backend: BackendDescription) -> None:
        """Write it where the workers read it; they follow within a quarter of a second.

        Raises:
            RefusedError: nobody would read it.
        """
        with order_cells(table, backend.orders_row) as cells:
            if self.state is not None:
                cells[BackendOrderCell.ADMIN] = STATES[self.state]
            if self.weight is not None:
                cells[BackendOrderCell.WEIGHT] = 0 if self.weight == backend.weight else self.weight


def _unknown(what: str, name: str, known: list[str]) -> str:
    return f"there is no {what} {_shown(name)}: {', '.join(known[:20])}"


def _shown(value: object) -> str:
    return repr(value)[:60]
