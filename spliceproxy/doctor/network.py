"""The kernel's settings for the sockets of all processes."""

import os
from collections.abc import Iterator

from spliceproxy.doctor.finding import Finding, fail, ok, warn
from spliceproxy.doctor.machine import Machine
from spliceproxy.settings.proxy import RouteDefaults, Settings

_SOMAXCONN = "net.core.somaxconn"
_TCP_MEM = "net.ipv4.tcp_mem"


def check_network(machine: Machine, settings: Settings | None) -> Iterator[Finding]:
    """Look at the backlog, the memory of TCP, and its congestion control."""
    ceiling = machine.sysctl_number(_SOMAXCONN)
    if ceiling is not None:
        routes = settings.routes if settings else (RouteDefaults(),)
        yield judge_backlog(ceiling, max(route.backlog for route in routes))
    limits_pages = machine.sysctl_numbers(_TCP_MEM)
    used_pages = tcp_pages(machine.read("proc/net/sockstat") or "")
    if len(limits_pages) == 3 and used_pages is not None:
        yield judge_memory(used_pages, limits_pages[1], limits_pages[2])
    control = machine.sysctl("net.ipv4.tcp_congestion_control")
    if control is not None:
        yield judge_congestion_control(control)


def judge_backlog(ceiling: int, backlog: int) -> Finding:
    """Compare the configured backlog with the kernel's ceiling (listen(2))."""
    fact = f"{min(ceiling, backlog)} connections may wait to be accepted"
    if ceiling >= backlog:
        return ok("network.backlog", fact, somaxconn=ceiling, backlog=backlog)
    return warn(
        "network.backlog",
        f"{fact}, not the {backlog} that are configured",
        f"sysctl -w {_SOMAXCONN}={backlog}",
        somaxconn=ceiling,
        backlog=backlog,
    )


def tcp_pages(sockstat: str) -> int | None:
    """Return the pages that TCP's buffers have now, from /proc/net/sockstat."""
    for line in sockstat.splitlines():
        words = line.split()
        if words[:1] == ["TCP:"] and "mem" in words[:-1]:
            return int(words[words.index("mem") + 1])
    return None


def judge_memory(used: int, pressure: int, most: int) -> Finding:
    """Compare the pages of TCP's buffers with the limits on them (tcp(7))."""
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    used_mib, most_mib = used * page_bytes >> 20, most * page_bytes >> 20
    fact = f"TCP's buffers have {used_mib} of {most_mib} MiB"
    values = {"used_pages": used, "pressure_pages": pressure, "max_pages": most}
    larger = f'sysctl -w {_TCP_MEM}="{most} {most * 3 // 2} {most * 2}", or fewer connections'
    if used >= most:
        return fail("network.tcp_memory", f"{fact}: data is held back", larger, **values)
    if used >= pressure:
        return warn("network.tcp_memory", f"{fact}: the kernel saves memory", larger, **values)
    return ok("network.tcp_memory", fact, **values)


def judge_congestion_control(control: str) -> Finding:
    """Name it; one that paces is a fact to know before measuring."""
    fact = f"{control} decides how fast TCP sends"
    if control.startswith("bbr"):
        fact += "; it paces loopback, too, so measure rates there with cubic"
    return ok("network.congestion_control", fact, congestion_control=control)
