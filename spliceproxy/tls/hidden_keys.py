"""Whoever reads keys hides its memory before, so that there is no moment at which it shows them."""

import os
from collections.abc import Iterator

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.hidden_memory import hide_memory
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_kinds.table import KINDS
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.settings.tls import TlsDial


def uses_tls(route: RouteSettings) -> bool:
    """Whether a route speaks TLS to anybody."""
    servers, backends = (one.tls for one in route.listen), (one.tls for one in route.backends)
    return any(servers) or any(backends) or any(dial is not None for _, dial in mirrors_of(route))


def mirrors_of(route: RouteSettings) -> Iterator[tuple[MirrorSettings, TlsDial | None]]:
    """Return a route's mirrors, and how TLS is spoken with each."""
    for mirror in route.mirrors:
        options = KINDS[mirror.kind].tls_options(mirror)
        yield mirror, None if options is None else TlsDial(**options)


def has_keys(settings: Settings) -> bool:
    """Whether anything speaks TLS."""
    return any(map(uses_tls, settings.routes)) or any(one.tls for one in settings.admin.listen)


def hide_before_keys(settings: Settings) -> None:
    """Hide this process's memory, and that of what it forks, if there are keys to come.

    Raises:
        StartProblem: a filter of system calls does not let memory be hidden.
    """
    if not has_keys(settings):
        return
    try:
        hide_memory()
    except OSError as error:
        raise StartProblem(
            f"TLS: the memory that keys are in cannot be hidden ({os.strerror(error.errno or 0)})",
            "let the filter of system calls allow prctl(PR_SET_DUMPABLE)",
        ) from None
