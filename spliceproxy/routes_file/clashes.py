"""Routes that cannot be there together: of the same name, or with the same listener."""

from collections.abc import Iterator

from spliceproxy.errors import quote
from spliceproxy.routes_file.tree import Mistake, Value
from spliceproxy.settings.listen_address import parse_listen
from spliceproxy.settings.listeners import TakenAddresses
from spliceproxy.settings.proxy import RouteSettings

UNNAMED = str(RouteSettings.model_fields["name"].default)


def find_clashes(root: Value) -> Iterator[Mistake]:
    """Look at all routes that can be read, whatever else is wrong with them."""
    routes = root.child("routes")
    if routes is None or not isinstance(routes.content, tuple):
        return
    names: dict[str, Value] = {}
    taken = TakenAddresses()
    for route in routes.content:
        name = route.child("name") or route
        text = name.content if isinstance(name.content, str) else UNNAMED
        first = names.setdefault(text, route)
        if first is not route:
            what = f"{quote(text)} is the name of {first.path} too: expected another one"
            yield Mistake(name.position, name.path, what)
        yield from _listener_clashes(route, taken)


def _listener_clashes(route: Value, taken: TakenAddresses) -> Iterator[Mistake]:
    listen = route.child("listen")
    if listen is None:
        return
    for value in listen.content if isinstance(listen.content, tuple) else (listen,):
        text = value.child("address") or value
        if not isinstance(text.content, str):
            continue
        try:
            address = parse_listen(text.content)
        except ValueError:
            continue  # told elsewhere
        other = taken.take(address, f"{value.path}, line {value.position.line}")
        if other is not None:
            what = f"{quote(text.content)} is taken by {other}: expected another address"
            yield Mistake(text.position, text.path, what)
