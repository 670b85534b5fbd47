"""Routes whose connections would come back to them, by their positions in the file."""

from collections.abc import Iterator

from spliceproxy.routes_file.references import mistake_at
from spliceproxy.routes_file.tree import Mistake, Value
from spliceproxy.settings.loops import find_loops
from spliceproxy.settings.proxy import Settings


def find_looping_routes(settings: Settings, root: Value) -> Iterator[Mistake]:
    """Look at the routes of a file that is correct otherwise."""
    routes = root.child("routes")
    assert routes is not None and isinstance(routes.content, tuple)  # noqa: S101, PT018 - it is correct
    for number, path, what in find_loops(settings.routes):
        yield mistake_at(routes.content[number], path, what)
