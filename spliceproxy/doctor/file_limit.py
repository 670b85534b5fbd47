"""How many connections fit within the limit on open files."""

from collections.abc import Iterator

from spliceproxy.doctor.finding import Finding, fail, ok, warn
from spliceproxy.doctor.machine import Machine
from spliceproxy.kernel.limits import descriptors_left, file_limit, raised_file_limit
from spliceproxy.proxy.capacity import file_limit_wanted, fit
from spliceproxy.proxy.reserve import count_listeners
from spliceproxy.settings.proxy import RouteSettings, Settings

FEW_CONNECTIONS = 1000
"""Fewer than this in a worker is worth a warning: the usual limit of 1024 files gives 416."""

_SOCKETS = 2


def check_file_limit(machine: Machine, settings: Settings | None) -> Iterator[Finding]:
    """Raise the limit as the proxy would, see what fits, and put it back."""
    before = file_limit()
    listeners = count_listeners(settings.routes) if settings else 0
    wanted = file_limit_wanted(settings, listeners) if settings else 0
    if settings and not settings.raise_nofile:
        limit = before
    else:
        with raised_file_limit(wanted) as limit:
            pass
    yield judge_limit(before, limit)
    if settings:
        for route, most in zip(settings.routes, fit(settings, listeners, limit), strict=True):
            if route.listen:  # else its connections are those of the route that leads to it
                yield judge_route(route, most, raise_limit(machine, wanted))


def judge_limit(before: int, limit: int) -> Finding:
    """Say how many connections without mirrors a worker could have."""
    connections = descriptors_left(limit) // _SOCKETS
    raised = f", raised from {before}" if limit != before else ""
    fact = f"{limit} open files{raised}: {connections} connections in a worker, without mirrors"
    if connections >= FEW_CONNECTIONS:
        return ok("files.limit", fact, nofile=limit, connections=connections)
    remedy = "ulimit -Hn 65536, or LimitNOFILE=65536 of systemd"
    return warn("files.limit", fact, remedy, nofile=limit, connections=connections)


def raise_limit(machine: Machine, wanted: int) -> str:
    """Return how to get so many open files; no limit goes beyond fs.nr_open (getrlimit(2))."""
    ceiling = machine.sysctl_number("fs.nr_open")
    first = f"sysctl -w fs.nr_open={wanted}, then " if ceiling and ceiling < wanted else ""
    return f"{first}ulimit -Hn {wanted}, or LimitNOFILE={wanted} of systemd"


def judge_route(route: RouteSettings, most: int, remedy: str) -> Finding:
    """Compare what a route asks for with what fits; without a wish it gets what is left."""
    check = f"files.route:{route.name}"
    asked = route.max_connections
    fact = f"route {route.name}: {most} connections in each worker"
    if most and (asked is None or asked <= most):
        return ok(check, fact, fit=most, asked=asked)
    if asked is not None:
        fact += f", where max_connections asks for {asked}"
    return fail(check, fact, remedy, fit=most, asked=asked)
