"""What is wrong with routes together, by its position: loops, and mirrors that get nothing."""

from collections.abc import Iterator
from itertools import chain

from spliceproxy.routes_file.references import mistake_at
from spliceproxy.routes_file.tree import Mistake, Value
from spliceproxy.settings.loops import find_loops
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.reach import find_idle_mirrors


def find_wrong_routes(settings: Settings, root: Value) -> Iterator[Mistake]:
    """Look at the routes of a file that is correct otherwise."""
    routes = root.child("routes")
    assert routes is not None and isinstance(routes.content, tuple)  # noqa: S101, PT018 - it is correct
    wrong = chain(find_loops(settings.routes), find_idle_mirrors(settings.routes))
    for number, path, what in wrong:
        yield mistake_at(routes.content[number], path, what)
