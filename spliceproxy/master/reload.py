"""One reload, from the signal until the new generation accepts or is given up."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from spliceproxy.errors import Problem
from spliceproxy.master.generation import Generation
from spliceproxy.master.loading import Loaded, Loading, ReloadRefused
from spliceproxy.master.open_listeners import ListenerChange, OpenListeners

BOOT_TIMEOUT_S = 30.0
"""What workers may take until they accept. Forking one takes a few milliseconds."""

MakeGeneration = Callable[[Loaded, list[list[socket.socket]]], Generation]


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A new generation that accepts; the old one is still there."""

    generation: Generation
    change: ListenerChange


class Reload:
    """Loads, opens listeners, starts workers; at any step it may be refused as a whole."""

    def __init__(
        self, loading: Loading, listeners: OpenListeners, make_generation: MakeGeneration
    ) -> None:
        self._loading: Loading | None = loading
        self._listeners = listeners
        self._make_generation = make_generation
        self._change: ListenerChange | None = None
        self._boot_deadline_s = 0.0
        self.generation: Generation | None = None
        """The new one, once it exists. It has to be watched until it has ended, whatever comes."""

    def descriptors(self) -> list[int]:
        """What to poll for."""
        if self._loading is not None:
            return self._loading.descriptors()
        return [] if self.generation is None else self.generation.workers.descriptors()

    def next_deadline_s(self) -> float:
        """When `tend` has something to do, whatever the descriptors say."""
        return self._boot_deadline_s if self._loading is None else self._loading.deadline_s

    def tend(self) -> Reloaded | None:
        """Go on; return what has come of it when it is over.

        Raises:
            ReloadRefused: nothing has changed, save that workers of `generation` may be ending.
        """
        try:
            if self._loading is not None:
                self._take_loaded(self._loading)
            return self._take_booted()
        except (ReloadRefused, Problem, OSError) as problem:
            self.abandon()
            if isinstance(problem, ReloadRefused):
                raise
            raise ReloadRefused(str(problem)) from problem

    def _take_loaded(self, loading: Loading) -> None:
        self._loading = None
        loaded = loading.tend()
        if loaded is None:
            self._loading = loading
            return
        self._change = self._listeners.change(loaded.settings.routes, loaded.targets)
        self.generation = self._make_generation(loaded, self._change.sockets)
        self._boot_deadline_s = time.monotonic() + BOOT_TIMEOUT_S
        self.generation.workers.start()

    def _take_booted(self) -> Reloaded | None:
        if self.generation is None or self._change is None:
            return None
        self.generation.workers.tend()
        if self.generation.workers.all_ready_once:
            return Reloaded(self.generation, self._change)
        if time.monotonic() >= self._boot_deadline_s:
            raise ReloadRefused(f"the new workers did not accept within {BOOT_TIMEOUT_S:g} s")
        return None

    def abandon(self) -> None:
        """Give up; the old generation has not noticed anything."""
        if self._loading is not None:
            self._loading.stop()
            self._loading = None
        if self.generation is not None:
            self.generation.workers.stop()
        if self._change is not None:
            self._change.undo()
            self._change = None

    def forget(self) -> None:
        """In a child: close what stands for the others."""
        if self._loading is not None:
            self._loading.forget()
        if self.generation is not None:
            self.generation.workers.forget()
