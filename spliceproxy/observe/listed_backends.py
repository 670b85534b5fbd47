"""The backends that SRV records list now: those that workers which accept say they have."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from spliceproxy.ipc.description import BackendDescription, Description, RouteDescription
from spliceproxy.ipc.health_cells import (
    HealthCell,
    HealthLabels,
    backend_orders_row_name,
    parse_health_row_name,
)
from spliceproxy.ipc.row_lifetime import TOUCH_INTERVAL_S
from spliceproxy.ipc.rows import fitting
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.table_memory import now_us

_BELIEVED_US = 2.5 * TOUCH_INTERVAL_S * 1e6
"""For so long one is listed that no worker tells of any more: each may be late once."""

_Listed = list[tuple[HealthLabels, str, list[int]]]


def with_listed_backends(description: Description, table: SharedTable) -> Description:
    """Return a description with those backends, too, of the routes that have such records."""
    if all(route.listed_rules is None for route in description.routes):
        return description
    listed: dict[str, _Listed] = defaultdict(list)
    for row in table.rows():
        labels = parse_health_row_name(row.name)
        if labels is not None:
            cells = row.values()
            if now_us() - cells[HealthCell.LISTED_US] < _BELIEVED_US:
                listed[labels.route].append((labels, row.name, cells))
    routes = (
        replace(
            route,
            backends=(*route.backends, *_describe(route, listed[fitting(route.name)], table)),
        )
        for route in description.routes
    )
    return replace(description, routes=tuple(routes))


def _describe(
    route: RouteDescription, listed: _Listed, table: SharedTable
) -> Iterator[BackendDescription]:
    if route.listed_rules is None:
        return
    described = {fitting(backend.name) for backend in route.backends}
    for labels, health_row, cells in sorted(listed):
        if labels.backend in described or labels.rules != fitting(route.listed_rules):
            continue
        orders_row = backend_orders_row_name(labels.route, labels.backend)
        orders = table.find(orders_row)
        yield BackendDescription(
            (orders and orders.text) or labels.backend,
            cells[HealthCell.WEIGHT],
            bool(cells[HealthCell.BACKUP]),
            health_row,
            orders_row,
        )
