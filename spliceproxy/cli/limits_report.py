"""What a routes file would get under the limits of the shell; no port is opened."""

import resource
from collections.abc import Iterator

from spliceproxy.admin.house import MAX_SEATED, MAX_STANDING
from spliceproxy.errors import UsageProblem
from spliceproxy.kernel.limits import file_limit, raised_file_limit
from spliceproxy.proxy.capacity import file_limit_wanted, fit
from spliceproxy.proxy.reserve import count_listeners, least_file_limit
from spliceproxy.settings.proxy import Settings
from spliceproxy.sinks.spool_directory import find_spool_warnings


def report_limits(settings: Settings) -> tuple[list[str], bool]:
    """Return the lines to print, and whether each route can have connections and its mirrors."""
    listeners = count_listeners(settings.routes)
    wanted = file_limit_wanted(settings, listeners)
    nofile = _limit(settings, wanted)
    most = fit(settings, listeners, nofile)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = "on" if settings.raise_nofile else "off"
    limits = f"soft limit {soft}, hard {hard}, raise_nofile {raised}"
    lines = [f"open files: {nofile} for each process ({limits}), {listeners} listeners"]
    lines += _tell_routes(settings, most)
    lines += _tell_admin(settings, listeners, nofile)
    if not any(most) or _lack(settings, most):
        lines.append(f"remedy: ulimit -Hn {wanted}, or LimitNOFILE={wanted} of systemd")
    spools, have_directory = _tell_spools(settings)
    return lines + spools, any(most) and have_directory


def _limit(settings: Settings, wanted: int) -> int:
    """Return the file limit that the proxy would have, and leave it as it is."""
    if not settings.raise_nofile:
        return file_limit()
    with raised_file_limit(wanted) as limit:
        return limit


def _tell_routes(settings: Settings, most: tuple[int, ...]) -> Iterator[str]:
    for route, connections in zip(settings.routes, most, strict=True):
        if not route.listen:  # its connections are those of the route that leads to it
            continue
        asked = route.max_connections
        wish = f", where max_connections asks for {asked}" if (asked or 0) > connections else ""
        yield f"route {route.name}: {connections} connections in each worker{wish}"


def _tell_admin(settings: Settings, listeners: int, nofile: int) -> Iterator[str]:
    if not settings.admin.listen and settings.stats_socket is None:
        return
    clients = MAX_SEATED + MAX_STANDING
    left = nofile - least_file_limit(settings, listeners, 0) - settings.workers
    if left < clients:
        yield f"admin: {max(0, left)} of {clients} clients, as files are short"


def _lack(settings: Settings, most: tuple[int, ...]) -> bool:
    pairs = zip(settings.routes, most, strict=True)
    return any(route.listen and (route.max_connections or 0) > got for route, got in pairs)


def _tell_spools(settings: Settings) -> tuple[list[str], bool]:
    try:
        found = find_spool_warnings(mirror for route in settings.routes for mirror in route.mirrors)
    except UsageProblem as problem:
        return [str(problem)], False
    lines = []
    for event, told in found:
        details = ", ".join(f"{name} {value}" for name, value in told.items())
        lines.append(f"warning: {event}: {details}")
    return lines, True
