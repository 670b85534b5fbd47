"""Whoever reads keys hides its memory before, so that there is no moment at which it shows them."""

import os

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.hidden_memory import hide_memory
from spliceproxy.settings.mirror_kinds.table import KINDS
from spliceproxy.settings.proxy import RouteSettings, Settings


def uses_tls(route: RouteSettings) -> bool:
    """Whether a route speaks TLS to anybody."""
    servers, backends = (one.tls for one in route.listen), (one.tls for one in route.backends)
    mirrors = (KINDS[one.kind].tls_options(one) is not None for one in route.mirrors)
    return any(servers) or any(backends) or any(mirrors)


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
