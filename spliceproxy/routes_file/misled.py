"""What is wrong with routes that can all be read, by its position in the file.

Connections would come back to a route, or answers of a mirror would be recorded nowhere.
"""

from collections.abc import Iterator

from spliceproxy.routes_file.references import mistake_at
from spliceproxy.routes_file.tree import Mistake, Value
from spliceproxy.settings.answer_captures import find_lost_answers
from spliceproxy.settings.loops import find_loops
from spliceproxy.settings.proxy import Settings


def find_misled(settings: Settings, root: Value) -> Iterator[Mistake]:
    """Look at the routes of a file that is correct otherwise."""
    routes = root.child("routes")
    assert routes is not None and isinstance(routes.content, tuple)  # noqa: S101, PT018 - it is correct
    for number, path, what in [
        *find_loops(settings.routes),
        *find_lost_answers(settings.routes),
    ]:
        yield mistake_at(routes.content[number], path, what)
