"""Reading the shared table: the sums over all workers, of what a description names."""

import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from spliceproxy import __version__
from spliceproxy.ipc.description import (
    BackendDescription,
    Description,
    MirrorDescription,
    RouteDescription,
)
from spliceproxy.ipc.health_cells import BackendOrderCell, condition
from spliceproxy.ipc.master_row import MASTER_ROW, dropped_lines, restarts
from spliceproxy.ipc.mirror_orders import is_on, sample_of
from spliceproxy.ipc.rows import (
    BUCKETS,
    BackendCell,
    Kind,
    MasterCell,
    MirrorCell,
    RouteCell,
    RowName,
    WorkerCell,
    WorkerState,
    fitting,
    parse_row_name,
)
from spliceproxy.ipc.shared_table import Row, SharedTable
from spliceproxy.ipc.table_memory import CELLS
from spliceproxy.observe.listed_backends import with_listed_backends
from spliceproxy.observe.mirror_conditions import MirrorConditions
from spliceproxy.observe.status import (
    MIRROR_OFF,
    BackendStatus,
    Gone,
    Histogram,
    MirrorStatus,
    RouteStatus,
    Status,
    WorkerStatus,
)
from spliceproxy.observe.sums import Sums

_NO_ROW = [0] * CELLS


class StatusReader:
    """Reads a table again and again."""

    def __init__(self, table: SharedTable) -> None:
        self.table = table
        self._counted: set[int | None] = set()  # attached mirrors that have been counted

    def current(self, description: Description) -> Description:
        """Return a description with the backends that SRV records list now."""
        return with_listed_backends(description, self.table)

    def status(self, description: Description) -> Status:
        """Return the state of what is described."""
        rows = self._rows_by_kind()
        sums = _sum_up(rows)
        conditions = MirrorConditions(rows[Kind.WORKER], rows[Kind.MIRROR])
        use = self.table.use()
        self._counted &= {one.attached for route in description.routes for one in route.mirrors}
        master = self._values(MASTER_ROW) or _NO_ROW
        return Status(
            version=__version__,
            pid=description.pid,
            started=description.started,
            generation=description.generation,
            draining=description.draining,
            reloads={
                "success": description.reloads_succeeded,
                "failure": description.reloads_refused,
            },
            last_reload=description.last_reload,
            log_level=description.log_level,
            workers=_workers(rows[Kind.WORKER], _active_by_slot(rows[Kind.ROUTE])),
            routes=[self._route(route, sums, conditions) for route in description.routes],
            generations_hurried=description.generations_hurried,
            shared_rows=use.rows,
            shared_rows_limit=use.limit,
            shared_rows_refused=use.refused,
            worker_restarts=restarts(master),
            admin_restarts=master[MasterCell.ADMIN_RESTARTS],
            log_lines_dropped=dropped_lines(master, (row for _, row in rows[Kind.WORKER])),
        )

    def gone(self, description: Description) -> Gone:
        """Return what is still counted of what is not described any more."""
        rows = self._rows_by_kind()
        sums = _sum_up(rows)
        conditions = MirrorConditions(rows[Kind.WORKER], rows[Kind.MIRROR])
        routes = description.routes
        known = {(fitting(route.name),) for route in routes}
        backends = {(r.name, one.name) for r in routes for one in r.backends}
        mirrors = {(r.name, one.name) for r in routes for one in r.mirrors}
        return Gone(
            [
                self._route(RouteDescription(name, (), "", (), ()), sums, conditions)
                for (name,) in sorted(sums.named(Kind.ROUTE) - known)
            ],
            [
                ((route, name), self._backend(route, BackendDescription(name), sums))
                for route, name in _others(sums, backends, Kind.BACKEND, Kind.FAILED)
            ],
            [
                ((route, name), self._mirror(route, _no_more(name), sums, conditions))
                for route, name in _others(sums, mirrors, Kind.MIRROR, Kind.DROPPED)
            ],
        )

    def _rows_by_kind(self) -> dict[Kind, list[tuple[RowName, Row]]]:
        by_kind: dict[Kind, list[tuple[RowName, Row]]] = defaultdict(list)
        for row in self.table.rows():
            name = parse_row_name(row.name)
            if name is not None:
                by_kind[name.kind].append((name, row))
        return by_kind

    def _values(self, row_name: str) -> list[int] | None:
        """Return the numbers of a row that is about no worker; None: there is none."""
        row = self.table.find(row_name)
        return None if row is None else row.values()

    def _route(
        self, route: RouteDescription, sums: Sums, conditions: MirrorConditions
    ) -> RouteStatus:
        cells = sums.cells(Kind.ROUTE, route.name)
        return RouteStatus(
            name=route.name,
            listeners=list(route.listeners),
            balance=route.balance,
            backends=[self._backend(route.name, backend, sums) for backend in route.backends],
            mirrors=[
                self._mirror(route.name, mirror, sums, conditions)
                for mirror in route.mirrors
                if self._is_remembered(route.name, mirror, sums)
            ],
            accepted=cells[RouteCell.ACCEPTED],
            active=cells[RouteCell.ACTIVE],
            limit=min(cells[RouteCell.LIMIT], sys.maxsize if route.limit is None else route.limit),
            mirroring=cells[RouteCell.MIRRORING],
            untold=cells[RouteCell.UNTOLD],
            request_bytes=cells[RouteCell.REQUEST_BYTES],
            response_bytes=cells[RouteCell.RESPONSE_BYTES],
            spliced_bytes=cells[RouteCell.SPLICED_BYTES],
            copied_bytes=cells[RouteCell.COPIED_BYTES],
            undelivered_bytes=cells[RouteCell.UNDELIVERED_BYTES],
            starved=cells[RouteCell.STARVED],
            duration_seconds=_histogram(cells, RouteCell.DURATION_BUCKETS, RouteCell.DURATION_US),
            ended=sums.reasons(Kind.ENDED, route.name),
            refused=sums.reasons(Kind.REFUSED, route.name),
            certificates=dict(route.certificates),
        )

    def _backend(self, route: str, backend: BackendDescription, sums: Sums) -> BackendStatus:
        cells = sums.cells(Kind.BACKEND, route, backend.name)
        row, orders = self.table.find(backend.health_row), self._values(backend.orders_row)
        return BackendStatus(
            name=backend.name,
            state=condition(row.values(), orders, time.monotonic()) if row and orders else "up",
            reason="" if row is None else row.text,
            weight=(orders and orders[BackendOrderCell.WEIGHT]) or backend.weight,
            backup=backend.backup,
            active=cells[BackendCell.ACTIVE],
            connections=cells[BackendCell.CONNECTIONS],
            request_bytes=cells[BackendCell.REQUEST_BYTES],
            response_bytes=cells[BackendCell.RESPONSE_BYTES],
            connect_seconds=_histogram(cells, BackendCell.CONNECT_BUCKETS, BackendCell.CONNECT_US),
            failed=sums.reasons(Kind.FAILED, route, backend.name),
            transitions={
                "up": cells[BackendCell.WENT_UP],
                "down": cells[BackendCell.WENT_DOWN],
                "ejected": cells[BackendCell.EJECTED],
            },
        )

    def _is_remembered(self, route: str, mirror: MirrorDescription, sums: Sums) -> bool:
        """Whether the rows of a mirror that was attached have not been given back yet."""
        counted = mirror.attached is None or sums.has(Kind.MIRROR, route, mirror.name)
        if counted:
            self._counted.add(mirror.attached)
        return counted or mirror.attached not in self._counted

    def _mirror(
        self, route: str, mirror: MirrorDescription, sums: Sums, conditions: MirrorConditions
    ) -> MirrorStatus:
        found = conditions.of(route, mirror.name)
        cells = sums.cells(Kind.MIRROR, route, mirror.name)
        order = self._values(mirror.order_row)
        return MirrorStatus(
            name=mirror.name,
            direction=mirror.direction,
            overflow=mirror.overflow,
            sample=mirror.sample if order is None else sample_of(order, mirror.sample),
            state=_without_condition(mirror, cells, order) or found.condition.name.lower(),
            reason=found.reason,
            since=found.since_s,
            attached=mirror.attached,
            streams=cells[MirrorCell.STREAMS],
            open=cells[MirrorCell.OPEN],
            incomplete=cells[MirrorCell.INCOMPLETE],
            offered_bytes=cells[MirrorCell.OFFERED_BYTES],
            delivered_bytes=cells[MirrorCell.DELIVERED_BYTES],
            dropped_bytes=cells[MirrorCell.DROPPED_BYTES],
            lag_bytes=cells[MirrorCell.LAG_BYTES],
            dropped=sums.reasons(Kind.DROPPED, route, mirror.name),
            left_out=cells[MirrorCell.LEFT_OUT],
            records_failed=cells[MirrorCell.RECORDS_FAILED],
            answer_bytes=cells[MirrorCell.ANSWER_BYTES],
            answer_recorded_bytes=cells[MirrorCell.ANSWER_RECORDED_BYTES],
            answer_lost_bytes=cells[MirrorCell.ANSWER_LOST_BYTES],
        )


def _sum_up(rows: Mapping[Kind, Iterable[tuple[RowName, Row]]]) -> Sums:
    """Add up what all workers have counted, but for what is a worker's own."""
    return Sums(one for kind, found in rows.items() if kind != Kind.WORKER for one in found)


def _others(
    sums: Sums, known: Iterable[tuple[str, str]], kind: Kind, by_reason: Kind
) -> list[tuple[str, str]]:
    """Return the names of those that are counted, and not known."""
    counted = sums.named(kind) | {labels[:-1] for labels in sums.named(by_reason)}
    fitted = {(fitting(route), fitting(name)) for route, name in known}
    return sorted((route, name) for route, name in counted - fitted)


def _no_more(mirror: str) -> MirrorDescription:
    return MirrorDescription(mirror, "", "", 0.0)


def _histogram(cells: Sequence[int], first: int, sum_us: int) -> Histogram:
    return Histogram(list(cells[first : first + BUCKETS]), cells[sum_us] / 1e6)


def _active_by_slot(rows: Iterable[tuple[RowName, Row]]) -> dict[int, int]:
    active: dict[int, int] = defaultdict(int)
    for name, row in rows:
        active[name.slot] += row.values()[RouteCell.ACTIVE]
    return active


def _workers(rows: Iterable[tuple[RowName, Row]], active: dict[int, int]) -> list[WorkerStatus]:
    now_us = time.monotonic_ns() // 1000
    found = []
    for name, row in rows:
        cells = row.values()
        if cells[WorkerCell.STATE] == WorkerState.FREE:
            continue
        found.append(
            WorkerStatus(
                slot=name.slot,
                number=cells[WorkerCell.NUMBER],
                generation=cells[WorkerCell.GENERATION],
                pid=cells[WorkerCell.PID],
                state=WorkerState(cells[WorkerCell.STATE]).name.lower(),
                started=cells[WorkerCell.STARTED_US] / 1e6,
                heartbeat_age_s=max(0, now_us - cells[WorkerCell.HEARTBEAT_US]) / 1e6,
                connections=active[name.slot],
                pipes_in_use=cells[WorkerCell.PIPES_IN_USE],
                pipes_idle=cells[WorkerCell.PIPES_IDLE],
                pipes_bytes=cells[WorkerCell.PIPES_BYTES],
                mirror_pipes_in_use=cells[WorkerCell.MIRROR_PIPES_IN_USE],
                mirror_pipes_idle=cells[WorkerCell.MIRROR_PIPES_IDLE],
                mirror_pipes_bytes=cells[WorkerCell.MIRROR_PIPES_BYTES],
                mirror_held_bytes=cells[WorkerCell.MIRROR_HELD_BYTES],
                mirror_budget_bytes=cells[WorkerCell.MIRROR_BUDGET_BYTES],
                batches=cells[WorkerCell.BATCHES],
                batch_seconds=_histogram(cells, WorkerCell.BATCH_BUCKETS, WorkerCell.BATCHES_US),
            )
        )
    return found


def _without_condition(
    mirror: MirrorDescription, cells: Sequence[int], order: Sequence[int] | None
) -> str | None:
    """Return the state of a mirror that gets no new streams, whether it works or not; or None."""
    if mirror.attached is None:
        return None if order is None or is_on(order) else MIRROR_OFF
    if cells[MirrorCell.ATTACHED]:
        return None
    return "closing" if cells[MirrorCell.OPEN] else "over"
