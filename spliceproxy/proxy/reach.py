"""The check that routes lead somewhere, for settings that come from no file."""

from collections.abc import Sequence

from spliceproxy.errors import UsageProblem
from spliceproxy.settings.options import RouteSettings
from spliceproxy.settings.reach import Outline, find_dead_ends


def check_reach(routes: Sequence[RouteSettings]) -> None:
    """Refuse routes that nothing leads to, and references that lead nowhere.

    Raises:
        UsageProblem: there is one.
    """
    for number, path, what in find_dead_ends([Outline.of(route) for route in routes]):
        place = ".".join(map(str, path))
        raise UsageProblem(f"route {routes[number].name!r}: {place}: {what}", "see the routes")
