"""Ports: those that the proxy listens on, and those that its own connections are given."""

import errno
import socket
from collections.abc import Iterable, Iterator

from spliceproxy.doctor.finding import Finding, fail, ok, warn
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.needs import count_workers
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.proxy import RouteSettings, Settings

FEW_PORTS = 10_000
"""Connections to one backend address that a range should allow; the kernel's own has 28,232."""

_FIRST_UNPRIVILEGED = "net.ipv4.ip_unprivileged_port_start"
_RANGE = "net.ipv4.ip_local_port_range"


def check_ports(machine: Machine, settings: Settings | None) -> Iterator[Finding]:
    """Look at privileged ports, and at the range for outgoing connections."""
    routes = settings.routes if settings else ()
    first = machine.sysctl_number(_FIRST_UNPRIVILEGED)
    first = 1024 if first is None else first
    yield judge_privilege(first, "CAP_NET_BIND_SERVICE" in machine.capabilities())
    for address in listening_on(routes):
        if 0 < address.port < first:
            yield try_privileged(address)
    local = machine.sysctl_numbers(_RANGE)
    if len(local) == 2:
        yield judge_range(*local)
        for route in routes:
            yield from judge_route(route, count_workers(settings), local[1] - local[0] + 1)
        reserved = machine.sysctl("net.ipv4.ip_local_reserved_ports") or ""
        for address in listening_on(routes):
            if local[0] <= address.port <= local[1] and not is_reserved(address.port, reserved):
                yield judge_clash(address, local[0], local[1])


def listening_on(routes: Iterable[RouteSettings]) -> list[TcpAddress]:
    """Return the TCP addresses of all listeners."""
    addresses = (listen.address for route in routes for listen in route.listen)
    return [address for address in addresses if isinstance(address, TcpAddress)]


def judge_privilege(first: int, may_bind: bool) -> Finding:  # noqa: FBT001 - the second of two facts
    """Say which ports this user may listen on."""
    if may_bind:
        fact = "this process may listen on every port"
    else:
        fact = f"this user may listen on ports from {first} ({_FIRST_UNPRIVILEGED})"
    return ok("ports.privileged", fact, first_unprivileged=first, may_bind_below=may_bind)


def try_privileged(address: TcpAddress) -> Finding:
    """Bind a socket to a port that takes a right, without listening on it."""
    check = f"ports.bind:{address.port}"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", address.port))
        except PermissionError:
            remedy = f"give CAP_NET_BIND_SERVICE, or sysctl -w {_FIRST_UNPRIVILEGED}={address.port}"
            return fail(check, f"this user may not listen on {address}", remedy)
        except OSError as error:
            # It is asked for rights before it is looked up (inet_bind, net/ipv4/af_inet.c).
            fact = f"this user may listen on {address}, where somebody listens now"
            if error.errno != errno.EADDRINUSE:
                fact = f"{address}: not tried ({error.strerror})"
            return ok(check, fact)
    return ok(check, f"this user may listen on {address}")


def judge_range(lowest: int, highest: int) -> Finding:
    """Count the connections that one backend address can have."""
    count = highest - lowest + 1
    fact = f"{lowest} to {highest} for outgoing connections: {count} to each backend address"
    if count >= FEW_PORTS:
        return ok("ports.local_range", fact, lowest=lowest, highest=highest)
    remedy = f'sysctl -w {_RANGE}="10240 60999", or more backend addresses'
    return warn("ports.local_range", fact, remedy, lowest=lowest, highest=highest)


def judge_route(route: RouteSettings, workers: int, ports: int) -> Iterator[Finding]:
    """Compare the connections that a route asks for with the ports for them."""
    backends = sum(isinstance(address, TcpAddress) for address in route.addresses)
    asked = (route.max_connections or 0) * workers
    if backends == len(route.addresses) and asked > backends * ports:
        yield warn(
            f"ports.route:{route.name}",
            f"route {route.name}: {asked} connections in all workers, and {backends * ports} "
            f"local ports for them, if each backend has one address",
            "more backend addresses, or a wider " + _RANGE,
            asked=asked,
            ports=backends * ports,
        )


def judge_clash(address: TcpAddress, lowest: int, highest: int) -> Finding:
    """Say what happens to a listener among the ports of outgoing connections."""
    return warn(
        f"ports.clash:{address.port}",
        f"{address} lies between {lowest} and {highest}: an outgoing connection may have the port "
        "when the proxy starts",
        f"sysctl -w net.ipv4.ip_local_reserved_ports={address.port}, or another port",
        port=address.port,
    )


def is_reserved(port: int, reserved: str) -> bool:
    """Whether a port is in a list such as ``8080,9000-9010`` (ip-sysctl.rst of Linux)."""
    for item in filter(None, reserved.replace(",", " ").split()):
        first, _, last = item.partition("-")
        if int(first) <= port <= int(last or first):
            return True
    return False
