"""The end of a worker that hangs: its stack and its connections are told of, then it is killed."""

import signal
from collections.abc import Mapping

import structlog

from spliceproxy.kernel.addresses import name_listener, split_port
from spliceproxy.kernel.open_connections import open_connections
from spliceproxy.kernel.process_state import STOPPED, read_kernel_side, read_state
from spliceproxy.master.child import Child
from spliceproxy.master.generation import Generation

MOST_TOLD = 1000
"""Connections that get a line each. The sums by route, in `worker_exited`, cover all."""


def give_up(generation: Generation, child: Child, silent_s: float) -> None:
    """Tell what a worker hangs in, and end it; whoever tends the workers replaces it at once."""
    log = structlog.get_logger().bind(
        generation=generation.number, worker=child.number, pid=child.pid
    )
    child.hung = True
    try:
        stopped = read_state(child.pid).letter == STOPPED
        kernel_side = read_kernel_side(child.pid)
        # One that is stopped would write its stack when it is continued.
        stack = [] if stopped or child.stack is None else child.stack.ask(child.pidfd)
        log.error("worker_hangs", silent_s=round(silent_s, 1), **kernel_side, stack=stack)
        _tell_connections(log, child.pid, _routes_by_listener(generation))
        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
    except ProcessLookupError:  # it has ended by itself meanwhile
        return


def _tell_connections(
    log: structlog.stdlib.BoundLogger, pid: int, routes: Mapping[str, str]
) -> None:
    clients = [one for one in open_connections(pid) if _listener_of(one.local, routes)]
    for one in clients[:MOST_TOLD]:
        route = routes[_listener_of(one.local, routes)]
        log.warning("connection_lost", route=route, listener=one.local, client=one.remote)
    if len(clients) > MOST_TOLD:
        log.warning("connections_lost", not_told=len(clients) - MOST_TOLD)


def _routes_by_listener(generation: Generation) -> dict[str, str]:
    """Return the routes' names by where they listen; a listener that is closed has no address."""
    return {
        name_listener(sock): route.settings.name
        for route in generation.routes
        for sock in route.listening
        if sock.fileno() >= 0
    }


def _listener_of(local: str, routes: Mapping[str, str]) -> str:
    """Return which listener a connection came in by; empty: it is one to a backend."""
    _, port = split_port(local)
    for listener in (local, f"0.0.0.0:{port}", f"[::]:{port}"):
        if listener in routes:
            return listener
    return ""
