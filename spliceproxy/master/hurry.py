"""Earlier generations that have to end early, since only so many may drain at the same time.

Each keeps its workers for as long as one of its connections lives, which may be a day; with a
reload every few minutes they would add up to hundreds of processes.
"""

from collections import defaultdict

import structlog

from spliceproxy.ipc.rows import Kind, RouteCell, parse_row_name
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.master.generation import Generation

HURRIED_DRAIN_S = 3.0
"""In its last third connections are reset bit by bit, so that clients do not all return at once."""

_REMEDY = (
    "reload less often, set a reload_drain_timeout that is shorter than so many reloads take, or "
    "raise max_generations if there is memory for more workers"
)


def tell_hurried(generation: Generation, connections: dict[str, int], most: int) -> None:
    """Warn of an earlier generation that has to end early, with what it has."""
    structlog.get_logger().warning(
        "generation_hurried",
        generation=generation.number,
        workers=len(generation.workers.children),
        connections=connections,
        max_generations=most,
        within_s=HURRIED_DRAIN_S,
        remedy=_REMEDY,
    )


def count_connections(generation: Generation, table: SharedTable) -> dict[str, int]:
    """Count the connections of a generation by route, those whose copies are on their way too.

    One that has none ends by itself.
    """
    slots = {child.slot for child in generation.workers.children}
    counts: dict[str, int] = defaultdict(int)
    for row in table.rows():
        name = parse_row_name(row.name)
        if name is not None and name.kind == Kind.ROUTE and name.slot in slots:
            counts[name.labels[0]] += row.cells[RouteCell.ACTIVE] + row.cells[RouteCell.MIRRORING]
    return {route: count for route, count in counts.items() if count}
