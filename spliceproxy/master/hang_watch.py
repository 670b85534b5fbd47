"""Notices workers that hang: their heartbeat stands still, though they could run."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.kernel.process_state import RUNNING, TRACED, ProcessState, read_state
from spliceproxy.master.child import Child
from spliceproxy.master.generation import Generation
from spliceproxy.master.lost_worker import give_up

_INTERVAL_S = 1.0
_STARVED_S = 0.5
"""A worker that had less processor time than this since its last heartbeat is starved by others."""


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
