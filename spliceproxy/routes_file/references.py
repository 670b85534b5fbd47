"""Routes that nothing leads to, and references that lead nowhere."""

from collections.abc import Iterator

from spliceproxy.routes_file.clashes import UNNAMED
from spliceproxy.routes_file.tree import Mistake, Value, join
from spliceproxy.settings.reach import Outline, Path, find_dead_ends


def find_wrong_references(root: Value) -> Iterator[Mistake]:
    """Look at all routes that can be read, whatever else is wrong with them."""
    routes = root.child("routes")
    if routes is None or not isinstance(routes.content, tuple):
        return
    mappings = [route for route in routes.content if isinstance(route.content, dict)]
    for number, path, what in find_dead_ends([_outline(route) for route in mappings]):
        yield mistake_at(mappings[number], path, what)


def _outline(route: Value) -> Outline:
    name, sni = route.child("name"), route.child("sni")
    keys = route.content if isinstance(route.content, dict) else {}
    return Outline(
        UNNAMED if name is None or not isinstance(name.content, str) else name.content,
        frozenset(keys),
        () if sni is None else tuple(_target(entry) for entry in _entries(sni)),
    )


def _entries(sni: Value) -> tuple[Value, ...]:
    return sni.content if isinstance(sni.content, tuple) else (sni,)


def _target(entry: Value) -> str:
    route = entry.child("route")
    return route.content if route is not None and isinstance(route.content, str) else ""


def mistake_at(route: Value, path: Path, what: str) -> Mistake:
    """Return a mistake at the nearest value to a path within a route."""
    value = route
    for step in path:
        child = value.child(step)
        if child is None and isinstance(step, int):  # an only entry, without the list
            continue
        if child is None:
            return Mistake(value.position, join(value.path, str(step)), what)
        value = child
    is_key = isinstance(path[-1], str) and len(path) == 1
    return Mistake(value.key_position if is_key else value.position, value.path, what)
