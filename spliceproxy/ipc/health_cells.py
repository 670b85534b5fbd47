"""The health of a backend as numbers that processes share, so that all know and it outlives them.

Who checks a backend writes what checks have said; who ejects it writes until when. Orders of the
operator are in a row of their own, written by the admin process alone: they hold whatever becomes
of the rules by which health is judged.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from spliceproxy.ipc.rows import CommonKind, common_labels, row_name
from spliceproxy.policy.health.checks import CheckedState
from spliceproxy.policy.health.ejection import Ejection
from spliceproxy.policy.health.health import Condition, Health


class HealthCell(IntEnum):
    """Cells of a backend's row; times are in microseconds of CLOCK_MONOTONIC."""

    CHECKED = 0  # see `Checked`
    PASSED = 1  # checks in a row
    FAILED = 2
    DUE_US = 3
    EJECTED_UNTIL_US = 4
    EJECTIONS = 5
    WEIGHT = 6  # as configured, or listed; of this and the next one all workers say the same
    BACKUP = 7
    LISTED_US = 8  # when a worker that accepts has last said that it has the backend


CELLS_USED = HealthCell.WEIGHT
"""By whoever judges; the others are for readers."""


class BackendOrderCell(IntEnum):
    """Cells of the row with a backend's orders."""

    ADMIN = 0  # see `Admin`
    WEIGHT = 1  # in place of the configured one; 0: none


ORDERS_USED = len(BackendOrderCell)


class Checked(IntEnum):
    """What checks have said so far."""

    NOTHING = 0
    UP = 1
    DOWN = 2


class Admin(IntEnum):
    """What the operator wants of a backend."""

    NORMAL = 0
    DRAIN = 1
    """No new connections."""
    DISABLED = 2
    """No new connections, and those that there are end as if it were down."""


def health_row_name(route: str, backend: str, rules: str) -> str:
    """Name the row of a backend: another one if anything changes that its health hangs on."""
    return row_name(CommonKind.HEALTH, route, backend, rules)


def backend_orders_row_name(route: str, backend: str) -> str:
    """Name the row with a backend's orders: the same one as long as it has that name."""
    return row_name(CommonKind.BACKEND_ORDERS, route, backend)


class HealthLabels(NamedTuple):
    """Whose health is in a row, judged by which rules; long ones are cut there."""

    route: str
    backend: str
    rules: str


def parse_health_row_name(name: str) -> HealthLabels | None:
    """Take the name of a row with health apart; None for other rows."""
    labels = common_labels(name, CommonKind.HEALTH)
    return None if labels is None else HealthLabels(*labels)


def restore(cells: memoryview, error: str, now_s: float) -> Health:
    """Return the health that the cells hold; that of a new backend if they are still empty.

    The error is what the last check failed with, if it did.
    """
    checked = CheckedState(due_s=now_s)
    if cells[HealthCell.CHECKED] != Checked.NOTHING:
        checked.checked = True
        checked.passed = cells[HealthCell.PASSED]
        checked.failed = cells[HealthCell.FAILED]
        checked.error = error if checked.failed else ""
        checked.due_s = cells[HealthCell.DUE_US] / 1e6
    health = Health(checked, Ejection())
    adopt(health, cells)
    return health


def adopt(health: Health, cells: memoryview) -> None:
    """Take over what others have found out."""
    if cells[HealthCell.CHECKED] != Checked.NOTHING:
        health.checked.checked = True
        health.checked.up = cells[HealthCell.CHECKED] == Checked.UP
    until_s = cells[HealthCell.EJECTED_UNTIL_US] / 1e6
    if until_s and until_s != health.ejection.until_s:
        health.ejection.adopt(until_s, cells[HealthCell.EJECTIONS])


def condition(cells: Sequence[int], orders: Sequence[int], now_s: float) -> str:
    """Return ``up``, ``down``, ``ejected``, ``draining`` or ``disabled``."""
    admin = orders[BackendOrderCell.ADMIN]
    if admin != Admin.NORMAL:
        return "draining" if admin == Admin.DRAIN else "disabled"
    if cells[HealthCell.CHECKED] == Checked.DOWN:
        return Condition.DOWN
    ejected = now_s * 1e6 < cells[HealthCell.EJECTED_UNTIL_US]
    return Condition.EJECTED if ejected else Condition.UP


def write_checked(cells: memoryview, checked: CheckedState) -> None:
    """Tell the others what checks have said."""
    cells[HealthCell.PASSED] = checked.passed
    cells[HealthCell.FAILED] = checked.failed
    cells[HealthCell.DUE_US] = round(checked.due_s * 1e6)
    cells[HealthCell.CHECKED] = Checked.UP if checked.up else Checked.DOWN


def write_ejection(cells: memoryview, ejection: Ejection) -> None:
    """Tell the others until when it is ejected."""
    until_us = int(ejection.until_s * 1e6)  # not rounded up: one that ends now has ended
    ejection.until_s = until_us / 1e6  # as they will read it
    cells[HealthCell.EJECTIONS] = ejection.ejections
    cells[HealthCell.EJECTED_UNTIL_US] = until_us
