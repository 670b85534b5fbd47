"""Reading the shared table: the sums over all workers, of what a description names."""

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
from spliceproxy.ipc.mirror_orders import is_on, sample_of
from spliceproxy.ipc.rows import (
    BUCKETS,
    COUNT,
    BackendCell,
    Kind,
    MirrorCell,
    RouteCell,
    RowName,
    WorkerCell,
    WorkerState,
    fitting,
    parse_row_name,
)
from spliceproxy.ipc.shared_table import CELLS, Row, SharedTable
from spliceproxy.observe.mirror_conditions import MirrorConditions
from spliceproxy.observe.status import (
    MIRROR_OFF,
    BackendStatus,
    Histogram,
    MirrorStatus,
    RouteStatus,
    Status,
    WorkerStatus,
)

Key = tuple[Kind, tuple[str, ...]]


class StatusReader:
    """Reads a table again and again; the names of its rows are taken apart only once."""

    def __init__(self, table: SharedTable) -> None:
        self._table = table
        self._named: list[tuple[RowName, Row]] = []
        self._others: dict[str, Row] = {}
        self._seen = 0

    def status(self, description: Description) -> Status:
        """Return what goes on now, in the routes of the description."""
        rows = self._rows_by_kind()
        sums = Sums(
            (name, row)
            for kind, found in rows.items()
            if kind != Kind.WORKER
            for name, row in found
        )
        active = _active_by_slot(rows[Kind.ROUTE])
        conditions = MirrorConditions(rows[Kind.WORKER], rows[Kind.MIRROR])
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
            workers=_workers(rows[Kind.WORKER], active),
            routes=[_route(route, sums, self._others, conditions) for route in description.routes],
        )

    def find(self, name: str) -> Row | None:
        """Return a row that is about no worker, such as a backend's health; None: there is none."""
        self._read_new_rows()
        return self._others.get(name)

    def _rows_by_kind(self) -> dict[Kind, list[tuple[RowName, Row]]]:
        self._read_new_rows()
        by_kind: dict[Kind, list[tuple[RowName, Row]]] = defaultdict(list)
        for name, row in self._named:
            by_kind[name.kind].append((name, row))
        return by_kind

    def _read_new_rows(self) -> None:
        rows = self._table.rows()
        for row in rows[self._seen :]:
            name = parse_row_name(row.name)
            if name is not None:
                self._named.append((name, row))
            else:
                self._others[row.name] = row
        self._seen = len(rows)


class Sums:
    """Cells of rows that differ in their slot alone, added up."""

    def __init__(self, rows: Iterable[tuple[RowName, Row]]) -> None:
        self._sums: dict[Key, list[int]] = {}
        self._reasons: dict[Key, dict[str, int]] = defaultdict(dict)
        for name, row in rows:
            cells = row.cells.tolist()
            key = (name.kind, name.labels)
            before = self._sums.get(key)
            self._sums[key] = cells if before is None else list(map(int.__add__, before, cells))
        for (kind, labels), cells in self._sums.items():
            if kind in (Kind.ENDED, Kind.REFUSED, Kind.FAILED, Kind.DROPPED):
                self._reasons[kind, labels[:-1]][labels[-1]] = cells[COUNT]

    def cells(self, kind: Kind, *labels: str) -> list[int]:
        """Return the sum over all slots; zeros if nobody has counted yet."""
        return self._sums.get((kind, tuple(map(fitting, labels)))) or _ZEROS

    def reasons(self, kind: Kind, *labels: str) -> dict[str, int]:
        """Return the counts of each reason."""
        return dict(self._reasons.get((kind, tuple(map(fitting, labels))), {}))


_ZEROS = [0] * CELLS


def _histogram(cells: Sequence[int], first: int, sum_us: int) -> Histogram:
    return Histogram(list(cells[first : first + BUCKETS]), cells[sum_us] / 1e6)


def _active_by_slot(rows: Iterable[tuple[RowName, Row]]) -> dict[int, int]:
    active: dict[int, int] = defaultdict(int)
    for name, row in rows:
        active[name.slot] += row.cells[RouteCell.ACTIVE]
    return active


def _workers(rows: Iterable[tuple[RowName, Row]], active: dict[int, int]) -> list[WorkerStatus]:
    now_us = time.monotonic_ns() // 1000
    found = []
    for name, row in rows:
        cells = row.cells.tolist()
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


def _route(
    route: RouteDescription, sums: Sums, rows: Mapping[str, Row], conditions: MirrorConditions
) -> RouteStatus:
    cells = sums.cells(Kind.ROUTE, route.name)
    return RouteStatus(
        name=route.name,
        listeners=list(route.listeners),
        balance=route.balance,
        backends=[_backend(route.name, backend, sums, rows) for backend in route.backends],
        mirrors=[_mirror(route.name, mirror, sums, rows, conditions) for mirror in route.mirrors],
        accepted=cells[RouteCell.ACCEPTED],
        active=cells[RouteCell.ACTIVE],
        limit=cells[RouteCell.LIMIT],
        mirroring=cells[RouteCell.MIRRORING],
        request_bytes=cells[RouteCell.REQUEST_BYTES],
        response_bytes=cells[RouteCell.RESPONSE_BYTES],
        spliced_bytes=cells[RouteCell.SPLICED_BYTES],
        copied_bytes=cells[RouteCell.COPIED_BYTES],
        undelivered_bytes=cells[RouteCell.UNDELIVERED_BYTES],
        duration_seconds=_histogram(cells, RouteCell.DURATION_BUCKETS, RouteCell.DURATION_US),
        ended=sums.reasons(Kind.ENDED, route.name),
        refused=sums.reasons(Kind.REFUSED, route.name),
    )


def _backend(
    route: str, backend: BackendDescription, sums: Sums, health: Mapping[str, Row]
) -> BackendStatus:
    cells = sums.cells(Kind.BACKEND, route, backend.name)
    row, orders = health.get(backend.health_row), health.get(backend.orders_row)
    return BackendStatus(
        name=backend.name,
        state=condition(row.cells, orders.cells, time.monotonic()) if row and orders else "up",
        reason="" if row is None else row.text,
        weight=(orders and orders.cells[BackendOrderCell.WEIGHT]) or backend.weight,
        backup=backend.backup,
        active=cells[BackendCell.ACTIVE],
        connections=cells[BackendCell.CONNECTIONS],
        request_bytes=cells[BackendCell.REQUEST_BYTES],
        response_bytes=cells[BackendCell.RESPONSE_BYTES],
        connect_seconds=_histogram(cells, BackendCell.CONNECT_BUCKETS, BackendCell.CONNECT_US),
        failed=sums.reasons(Kind.FAILED, route, backend.name),
    )


def _mirror(
    route: str,
    mirror: MirrorDescription,
    sums: Sums,
    orders: Mapping[str, Row],
    conditions: MirrorConditions,
) -> MirrorStatus:
    found = conditions.of(route, mirror.name)
    cells = sums.cells(Kind.MIRROR, route, mirror.name)
    order = orders.get(mirror.order_row)
    return MirrorStatus(
        name=mirror.name,
        direction=mirror.direction,
        overflow=mirror.overflow,
        sample=mirror.sample if order is None else sample_of(order.cells, mirror.sample),
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
    )


def _without_condition(
    mirror: MirrorDescription, cells: Sequence[int], order: Row | None
) -> str | None:
    """Return the state of a mirror that gets no new streams, whether it works or not; or None."""
    if mirror.attached is None:
        return None if order is None or is_on(order.cells) else MIRROR_OFF
    if cells[MirrorCell.ATTACHED]:
        return None
    return "closing" if cells[MirrorCell.OPEN] else "over"
