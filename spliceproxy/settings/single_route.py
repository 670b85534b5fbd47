"""The settings of a proxy with one route: the command line's, and the usual ones of a program."""

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from spliceproxy.settings.address import Address
from spliceproxy.settings.admin import AdminSettings
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.listen_address import ListenAddress
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.options import LogFormat, LogLevel, LogSettings, RouteSettings, Settings
from spliceproxy.settings.timeouts import Timeouts

_TIMEOUTS = {
    "connect_timeout_s": "connect_s",
    "idle_timeout_s": "idle_s",
    "tcp_user_timeout_s": "tcp_user_s",
}
_ADMIN = {"admin_listen": "listen", "admin_token": "token"}
_LOG = {"log_format": "format", "log_level": "level"}
_OF_ROUTE = {name: name for name in ("backlog", "max_connections", "mirrors")}
ROUTE_OPTIONS = frozenset({"listen", "backends", *_OF_ROUTE, *_TIMEOUTS})
"""Those that a routes file has for each of its routes."""


class Options(TypedDict, total=False):
    """All but the addresses; the defaults are those of `Settings`."""

    workers: int
    connect_timeout_s: float
    idle_timeout_s: float
    tcp_user_timeout_s: float
    drain_timeout_s: float
    reload_drain_timeout_s: float
    max_connections: int | None
    backlog: int
    splice: bool
    raise_nofile: bool
    mirrors: tuple[MirrorSettings, ...]
    mirror_budget_bytes: int
    admin_listen: tuple[Address, ...]
    admin_token: str | None
    log_format: LogFormat
    log_level: LogLevel


def single_route(
    listen: Sequence[ListenAddress], backends: Sequence[Address], **options: Unpack[Options]
) -> Settings:
    """Return the settings of a proxy with one route."""
    given: dict[str, Any] = dict(options)
    route = RouteSettings(
        listen=tuple(ListenSettings(address=address) for address in listen),
        backends=tuple(BackendSettings(address=address) for address in backends),
        timeouts=Timeouts(**_take(given, _TIMEOUTS)),
        **_take(given, _OF_ROUTE),
    )
    log = LogSettings(**_take(given, _LOG))
    admin = AdminSettings(**_take(given, _ADMIN))
    return Settings(routes=(route,), log=log, admin=admin, **given)


def override(settings: Settings, **options: Any) -> Settings:
    """Return the settings with some of those that concern no single route replaced."""
    log = settings.log.model_copy(update=_take(options, _LOG))
    admin = settings.admin.model_copy(update=_take(options, _ADMIN))
    return settings.model_copy(update={**options, "log": log, "admin": admin})


def _take(options: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {field: options.pop(name) for name, field in names.items() if name in options}
