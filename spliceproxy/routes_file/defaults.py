"""`defaults:` merged into each route."""

from dataclasses import replace

from spliceproxy.routes_file.tree import Mistake, Value
from spliceproxy.routes_file.values import MAX_VALUES
from spliceproxy.settings.reach import ACCEPTING


def apply_defaults(root: Value) -> tuple[Value, list[Mistake]]:
    """Return the file with complete routes; what they take over keeps its position in the file."""
    defaults, routes = root.child("defaults"), root.child("routes")
    if not (defaults and routes and isinstance(root.content, dict)):
        return root, []
    if not (isinstance(defaults.content, dict) and isinstance(routes.content, tuple)):
        return root, []
    if defaults.size() * len(routes.content) > MAX_VALUES:
        what = f"in {len(routes.content)} routes these are more than {MAX_VALUES} values"
        return root, [Mistake(defaults.position, defaults.path, what)]
    merged = tuple(_merge(_meant_for(route, defaults), route) for route in routes.content)
    return replace(root, content={**root.content, "routes": replace(routes, content=merged)}), []


def _meant_for(route: Value, defaults: Value) -> Value:
    """Leave out what concerns only routes that accept, if this one does not."""
    if route.child("listen") or not isinstance(defaults.content, dict):
        return defaults
    content = {key: value for key, value in defaults.content.items() if key not in ACCEPTING}
    return replace(defaults, content=content)


def _merge(below: Value, above: Value) -> Value:
    if not (isinstance(below.content, dict) and isinstance(above.content, dict)):
        return above
    content = dict(below.content)
    for key, value in above.content.items():
        content[key] = _merge(content[key], value) if key in content else value
    return replace(above, content=content)
