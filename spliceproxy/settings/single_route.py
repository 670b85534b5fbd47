"""The settings of a proxy with one route: the command line's, and the usual ones of a program."""

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from spliceproxy.settings.address import Address
from spliceproxy.settings.admin import AdminSettings
from spliceproxy.settings.attach_grants import AttachGrant
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.listen_address import ListenAddress
from spliceproxy.settings.log import (
    AccessLogFormat,
    AccessLogSettings,
    LogFormat,
    LogLevel,
    LogSettings,
)
from spliceproxy.settings.log_destination import LogDestination
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.model import Model
from spliceproxy.settings.privileges import SandboxMode
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.settings.timeouts import Timeouts
from spliceproxy.settings.tls import TlsDial, TlsListen
from spliceproxy.settings.tls_texts import TlsBackend

_TIMEOUTS = {
    "connect_timeout_s": "connect_s",
    "idle_timeout_s": "idle_s",
    "tcp_user_timeout_s": "tcp_user_s",
}
_GROUPS: dict[str, tuple[type[Model], dict[str, str]]] = {
    "admin": (
        AdminSettings,
        {
            "admin_listen": "listen",
            "admin_token": "token",
            "admin_viewer_token": "viewer_token",
            "admin_attach": "attach",
            "admin_insecure": "insecure",
        },
    ),
    "log": (LogSettings, {"log_to": "to", "log_format": "format", "log_level": "level"}),
    "access_log": (AccessLogSettings, {"access_log": "to", "access_log_format": "format"}),
}
"""Of `Settings`: a field's model, and what its fields are called here."""
_OF_ROUTE = {name: name for name in ("backlog", "max_connections", "mirrors")}
_OF_TLS = {"tls_certificate": "certificate", "tls_key": "key", "self_signed": "self_signed"}
ROUTE_OPTIONS = frozenset({"listen", "backends", *_OF_ROUTE, *_TIMEOUTS, *_OF_TLS})
"""Those that a routes file has for each of its routes."""


class Options(TypedDict, total=False):
    """All but the addresses; the defaults are those of `Settings`."""

    workers: int
    connect_timeout_s: float
    idle_timeout_s: float
    tcp_user_timeout_s: float
    tls_certificate: str | None
    tls_key: str | None
    self_signed: bool
    drain_timeout_s: float
    drain_delay_s: float
    reload_drain_timeout_s: float
    max_generations: int
    max_connections: int | None
    backlog: int
    splice: bool
    raise_nofile: bool
    strict_names: bool
    user: str | None
    group: str | None
    sandbox: SandboxMode
    mirrors: tuple[MirrorSettings, ...]
    mirror_budget_bytes: int
    sample_key: str | None
    admin_listen: tuple[ListenAddress, ...]
    admin_token: str | None
    admin_viewer_token: str | None
    admin_attach: tuple[AttachGrant, ...]
    admin_insecure: bool
    log_to: LogDestination
    log_format: LogFormat
    log_level: LogLevel
    access_log: LogDestination
    access_log_format: AccessLogFormat


def single_route(
    listen: Sequence[ListenAddress],
    backends: Sequence[Address | TlsBackend],
    **options: Unpack[Options],
) -> Settings:
    """Return the settings of a proxy with one route."""
    given: dict[str, Any] = dict(options)
    with_clients = _take(given, _OF_TLS)
    tls = TlsListen(**with_clients) if any(with_clients.values()) else None
    route = RouteSettings(
        listen=tuple(ListenSettings(address=address, tls=tls) for address in listen),
        backends=tuple(map(_backend, backends)),
        timeouts=Timeouts(**_take(given, _TIMEOUTS)),
        **_take(given, _OF_ROUTE),
    )
    groups: dict[str, Any] = {
        name: model(**_take_group(given, name)) for name, (model, _) in _GROUPS.items()
    }
    return Settings(routes=(route,), **groups, **given)


def _backend(backend: Address | TlsBackend) -> BackendSettings:
    if isinstance(backend, TlsBackend):
        return BackendSettings(address=backend.address, tls=TlsDial(**backend.options))
    return BackendSettings(address=backend)


def override(settings: Settings, **options: Any) -> Settings:
    """Return the settings with some of those that concern no single route replaced."""
    groups = {
        name: getattr(settings, name).model_copy(update=_take_group(options, name))
        for name in _GROUPS
    }
    return settings.model_copy(update={**options, **groups})


def _take_group(options: dict[str, Any], name: str) -> dict[str, Any]:
    taken = _take(options, _GROUPS[name][1])
    if name == "admin" and "listen" in taken:
        taken["listen"] = tuple(ListenSettings(address=address) for address in taken["listen"])
    return taken


def _take(options: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {field: options.pop(name) for name, field in names.items() if name in options}
