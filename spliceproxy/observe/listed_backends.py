"""The backends that SRV records list now: those whose rows workers hold in the shared table."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import itemgetter

from spliceproxy.ipc.description import BackendDescription, Description, RouteDescription
from spliceproxy.ipc.health_cells import (
    HealthCell,
    health_row_name,
    parse_backend_orders_row_name,
)
from spliceproxy.ipc.rows import fitting
from spliceproxy.ipc.shared_table import Row, SharedTable

_NamedRow = tuple[str, Row]


def with_listed_backends(description: Description, table: SharedTable) -> Description:
    """Return a description with those backends, too, of the routes that have such records."""
    if all(route.listed_rules is None for route in description.routes):
        return description
    held: dict[str, list[_NamedRow]] = defaultdict(list)
    for row in table.rows():
        labels = parse_backend_orders_row_name(row.name)
        if labels is not None and table.is_held(row):
            held[labels.route].append((labels.backend, row))
    routes = (
        replace(
            route,
            backends=(*route.backends, *_describe(route, held[fitting(route.name)], table)),
        )
        for route in description.routes
    )
    return replace(description, routes=tuple(routes))


def _describe(
    route: RouteDescription, held: Iterable[_NamedRow], table: SharedTable
) -> Iterator[BackendDescription]:
    if route.listed_rules is None:
        return
    described = {fitting(backend.name) for backend in route.backends}
    for name, row in sorted(held, key=itemgetter(0)):
        if name in described:
            continue
        health_row = health_row_name(route.name, name, route.listed_rules)
        health = table.find(health_row)
        if health is not None:
            cells = health.values()
            weight, backup = cells[HealthCell.WEIGHT], bool(cells[HealthCell.BACKUP])
            yield BackendDescription(row.text or name, weight, backup, health_row, row.name)
