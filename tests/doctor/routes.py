"""Settings of one route, with what a check looks at."""

from collections.abc import Sequence
from typing import Any

from spliceproxy.settings.address import parse_backend
from spliceproxy.settings.listen_address import parse_listen
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.single_route import single_route


def routes(
    *,
    name: str = "web",
    listen: Sequence[str] = ("127.0.0.1:8080",),
    backends: Sequence[str] = ("127.0.0.1:80",),
    mirrors: Sequence[str] = (),
    **options: Any,
) -> Settings:
    settings = single_route(
        tuple(map(parse_listen, listen)),
        tuple(map(parse_backend, backends)),
        mirrors=tuple(map(parse_mirror, mirrors)),
        **options,
    )
    [route] = settings.routes
    return settings.model_copy(update={"routes": (route.model_copy(update={"name": name}),)})
