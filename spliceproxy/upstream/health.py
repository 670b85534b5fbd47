"""The health of a backend in one worker: judged by policy, shared by a row of the table."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from spliceproxy import reasons
from spliceproxy.ipc.health_cells import (
    CELLS_USED,
    ORDERS_USED,
    Admin,
    BackendOrderCell,
    Checked,
    HealthCell,
    adopt,
    backend_orders_row_name,
    health_row_name,
    restore,
    write_checked,
    write_ejection,
)
from spliceproxy.ipc.rows import BackendCell
from spliceproxy.ipc.shared_table import Row, SharedTable
from spliceproxy.ipc.table_memory import now_us
from spliceproxy.policy.backoff import Backoff
from spliceproxy.policy.balance.state import BackendState
from spliceproxy.policy.health.checks import CheckRules
from spliceproxy.policy.health.ejection import EjectionRules
from spliceproxy.policy.health.health import Condition, HealthRules, Verdict
from spliceproxy.settings.pool import PoolSettings

_draw = random.random

CountTransition = Callable[[str, int], None]
"""Counts that a backend of that name is up, down or ejected now, in that `BackendCell`."""


def nobody_counts(backend: str, cell: int) -> None:
    """See `CountTransition`."""


@dataclass(frozen=True, slots=True)
class Judging:
    """How a route's backends are judged."""

    route: str
    rules: HealthRules
    rules_text: str
    """Differs if a backend's health is to start anew."""

    def row_name(self, backend: str) -> str:
        """Name the row of a backend."""
        return health_row_name(self.route, backend, self.rules_text)

    def orders_row_name(self, backend: str) -> str:
        """Name the row with the operator's orders for a backend."""
        return backend_orders_row_name(self.route, backend)


def judging(route: str, settings: PoolSettings) -> Judging:
    """Return how the backends of a route are judged."""
    check, ejection = settings.health_check, settings.ejection
    checks = None if check is None else CheckRules(check.interval_s, check.rise, check.fall)
    backoff = Backoff(ejection.first_s, ejection.longest_s)
    ejecting = EjectionRules(backoff, ejection.after) if ejection.enabled else None
    return Judging(route, HealthRules(checks, ejecting), repr(check))


def claim_rows(judging: Judging, backend: str, table: SharedTable) -> tuple[Row, Row]:
    """Return the rows with the health of a backend, and with its orders."""
    return (
        table.claim_or_private(judging.row_name(backend)),
        table.claim_or_private(judging.orders_row_name(backend)),
    )


class BackendHealth:
    """Judges one backend, and tells balancing by its state.

    Whoever decides tells the log and the row; the others learn of it by `look`.
    """

    def __init__(
        self,
        judging: Judging,
        state: BackendState,
        row: Row,
        orders: Row,
        count: CountTransition = nobody_counts,
    ) -> None:
        """`count` is told of each transition that this worker finds out."""
        self._rules = judging.rules
        self._state = state
        self._weight = state.weight
        self._row = row
        self._orders = orders
        self._count = count
        now_s = time.monotonic()
        self._health = restore(row.cells, row.text, now_s)
        self._seen = b""
        self._changes_s = now_s
        self._ejected_until_s = math.inf  # by this worker
        self._no_check = ""  # why the last check was none
        self.suspect = False
        """Whether it matters when a connect succeeds: one has failed lately, here or elsewhere."""
        self.lost = False
        """Whether its live connections have no use any more: it is down, or disabled."""
        self._log = structlog.get_logger().bind(route=judging.route, backend=state.name)
        self._tell_readers()
        self.look(now_s)

    @property
    def is_shared(self) -> bool:
        """Whether other workers learn what this one finds, and this one of them."""
        return self._row.is_shared and self._orders.is_shared

    def share(self, row: Row, orders: Row) -> None:
        """Go on in rows of the table, which was full before; those who were there know better."""
        checked = self._health.checked
        if checked.checked and row.cells[HealthCell.CHECKED] == Checked.NOTHING:
            write_checked(row.cells, checked)
            row.text = checked.error
        self._row, self._orders = row, orders
        self._tell_readers()

    def check_due_s(self) -> float:
        """Tell when to check next; never is infinity."""
        return self._health.check_due_s(self._rules)

    def check_at(self, due_s: float) -> None:
        """Let the next check wait until then; it is still known what the last ones have said."""
        self._health.checked.due_s = due_s

    def look(self, now_s: float) -> bool:
        """See what others have found out or ordered, and what time has changed.

        Returns whether anything is different now.
        """
        cells = self._row.cells[:CELLS_USED]
        seen = cells.tobytes() + self._orders.cells[:ORDERS_USED].tobytes()
        if seen == self._seen and now_s < self._changes_s:
            return False
        self._seen = seen
        adopt(self._health, cells)
        self.suspect = self.suspect or self._health.ejection.on_probation
        self._apply(now_s)
        if self._ejected_until_s <= now_s:
            if self._health.ejection.until_s == self._ejected_until_s and self._state.up:
                self._log.info("backend_up", reason="the ejection is over")
                self._count(self._state.name, BackendCell.WENT_UP)
            self._ejected_until_s = math.inf
        return True

    def set_weight(self, weight: int) -> None:
        """Take over another configured weight."""
        self._weight = weight
        self._tell_readers()
        self._apply(time.monotonic())

    def show(self) -> None:
        """Say that a worker which accepts has the backend; to be said again and again."""
        self._row.cells[HealthCell.LISTED_US] = now_us()

    def _tell_readers(self) -> None:
        """Tell what nobody could know else of a backend that SRV records list."""
        self.show()
        self._row.cells[HealthCell.WEIGHT] = self._weight
        self._row.cells[HealthCell.BACKUP] = self._state.tier > 0
        self._orders.text = self._state.name

    def connect_failed(self, why: str) -> None:
        """Take note that a client could not be connected, unless that is this machine's fault."""
        if why in reasons.OWN:
            return
        self.suspect = True
        now_s = time.monotonic()
        ejection = self._health.ejection
        before_s = ejection.until_s
        self._health.on_connect(self._rules, now_s, _draw(), why)
        if ejection.until_s != before_s:
            write_ejection(self._row.cells, ejection)
            self._ejected_until_s = ejection.until_s
            self._count(self._state.name, BackendCell.EJECTED)
            self._log.warning(
                "backend_ejected", reason=why, seconds=round(ejection.until_s - now_s, 1)
            )
            self._apply(now_s)

    def connect_succeeded(self) -> None:
        """Take note that one could, after others could not."""
        self._health.on_connect(self._rules, time.monotonic(), 0.0)
        self.suspect = self._health.ejection.on_probation  # still: one that is ejected now

    def checked(self, error: str) -> None:
        """Take note of a check that has ended, with an error unless that is empty.

        One that this machine could not make says nothing of the backend. The log tells of the
        first one in a row.
        """
        now_s = time.monotonic()
        if error in reasons.OWN:
            self._health.on_no_check(self._rules, now_s, _draw())
            if error != self._no_check:
                self._log.warning("check_not_made", reason=error)
            self._no_check = error
            return
        self._no_check = ""
        before = self._health.verdict(self._rules, now_s)
        until_s = self._health.ejection.until_s
        self._health.on_check(self._rules, now_s, _draw(), error)
        self._row.text = error
        write_checked(self._row.cells, self._health.checked)
        if self._health.ejection.until_s != until_s:
            write_ejection(self._row.cells, self._health.ejection)
        self._tell(before, self._apply(now_s))

    def _tell(self, before: Verdict, after: Verdict) -> None:
        if before.condition is after.condition:
            return
        if after.condition is Condition.DOWN:
            self._count(self._state.name, BackendCell.WENT_DOWN)
            self._log.warning("backend_down", reason=after.reason)
        elif after.condition is Condition.UP:
            self._count(self._state.name, BackendCell.WENT_UP)
            self._log.info("backend_up", reason=after.reason)

    def _apply(self, now_s: float) -> Verdict:
        """Let balancing know."""
        verdict = self._health.verdict(self._rules, now_s)
        orders, state = self._orders.cells, self._state
        admin = orders[BackendOrderCell.ADMIN]
        state.up = verdict.up and admin == Admin.NORMAL
        state.ejected = verdict.condition is Condition.EJECTED and admin == Admin.NORMAL
        state.weight = orders[BackendOrderCell.WEIGHT] or self._weight
        self.lost = verdict.condition is Condition.DOWN or admin == Admin.DISABLED
        self._changes_s = self._health.changes_s(now_s)
        return verdict
