"""Workers that hang: their heartbeat stands still, though they could run.

What such a worker hangs in and its connections are told of, then it is killed.
"""

import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.kernel.addresses import name_listener, split_port
from spliceproxy.kernel.open_connections import open_connections
from spliceproxy.kernel.process_state import (
    RUNNING,
    STOPPED,
    TRACED,
    ProcessState,
    read_kernel_side,
    read_state,
)
from spliceproxy.master.child import Child
from spliceproxy.master.generation import Generation

_INTERVAL_S = 1.0
_STARVED_S = 0.5
"""A worker that had less processor time than this since its last heartbeat is starved by others."""
MOST_TOLD = 1000
"""Connections that get a line each. The sums by route, in `worker_exited`, cover all."""


@dataclass(frozen=True, slots=True)
class _Sighting:
    """When a heartbeat was seen for the first time."""

    heartbeat_s: float
    at_s: float
    cpu_s: float


class HangWatch:
    """Looks at each worker once a second.

    It starts anew when it comes late itself: the machine, or the container, was suspended, and
    nobody's heart has beaten meanwhile.
    """

    def __init__(self, slots: WorkerSlots) -> None:
        self._slots = slots
        self._sightings: dict[Child, _Sighting] = {}
        self._looked_s = time.monotonic()
        self.next_deadline_s = self._looked_s + _INTERVAL_S

    def tend(self, generations: Iterable[Generation]) -> None:
        """Look, if it is time for that; end workers that hang."""
        now_s = time.monotonic()
        if now_s < self.next_deadline_s:
            return
        late = now_s - self._looked_s > 2 * _INTERVAL_S
        before = {} if late else self._sightings
        self._sightings = {}
        for generation in generations:
            watched = generation.settings.hang_timeout_s > 0
            for child in generation.workers.children if watched else ():
                if not child.hung:
                    self._look(generation, child, before.get(child), now_s)
        self._looked_s = time.monotonic()
        self.next_deadline_s = self._looked_s + _INTERVAL_S

    def _look(
        self, generation: Generation, child: Child, before: _Sighting | None, now_s: float
    ) -> None:
        try:
            state = read_state(child.pid)
        except OSError:  # it has just been buried
            return
        heartbeat_s = self._slots.heartbeat_s(child.slot)
        if before is None or heartbeat_s != before.heartbeat_s:
            before = _Sighting(heartbeat_s, now_s, state.cpu_s)
        self._sightings[child] = before
        silent_s = now_s - before.at_s
        if silent_s >= generation.settings.hang_timeout_s and not _is_excused(state, before):
            give_up(generation, child, silent_s)


def _is_excused(state: ProcessState, since: _Sighting) -> bool:
    """Whether a debugger holds the worker, or others leave it no processor."""
    starved = state.letter == RUNNING and state.cpu_s - since.cpu_s < _STARVED_S
    return starved or state.letter == TRACED


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
        stack = [] if stopped or child.stack is None else child.stack.ask(child.send)
        log.error("worker_hangs", silent_s=round(silent_s, 1), **kernel_side, stack=stack)
        _tell_connections(log, child.pid, _routes_by_listener(generation))
        child.send(signal.SIGKILL)
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
