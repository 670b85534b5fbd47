"""What is wrong with routes that can all be read, by its position in the file.

Connections would come back to a route, a mirror would get nothing, or answers of one would be
recorded nowhere.
"""

from collections.abc import Iterator
from itertools import chain

from spliceproxy.routes_file.references import mistake_at
from spliceproxy.routes_file.tree import Mistake, Value
from spliceproxy.settings.answer_captures import find_lost_answers
from spliceproxy.settings.loops import find_loops
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.reach import find_idle_mirrors


def find_misled(settings: Settings, root: Value) -> Iterator[Mistake]:
    """Look at the routes of a file that is correct otherwise."""
    routes = root.child("routes")
    assert routes is not None and isinstance(routes.content, tuple)  # noqa: S101, PT018 - it is correct
    looks = find_loops, find_idle_mirrors, find_lost_answers
    for number, path, what in chain.from_iterable(look(settings.routes) for look in looks):
        yield mistake_at(routes.content[number], path, what)
