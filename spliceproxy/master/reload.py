"""A reload, from the order until the new generation accepts or is given up."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from spliceproxy.errors import Problem
from spliceproxy.kernel.refusals import refused
from spliceproxy.master.generation import Generation
from spliceproxy.master.loader import LoadedConfiguration, LoaderProcess, ReloadRefused
from spliceproxy.master.open_listeners import ListenerChange, OpenListeners
from spliceproxy.proxy.capacity import raise_limit

BOOT_TIMEOUT_S = 30.0
"""What workers may take until they accept. Forking one takes a few milliseconds."""

MakeGeneration = Callable[[LoadedConfiguration, ListenerChange], Generation]
TakeOver = Callable[[Generation, ListenerChange], None]
Refuse = Callable[[ReloadRefused, Generation | None], None]


class _Idle:
    """Nothing is under way."""


@dataclass(frozen=True, slots=True)
class _Loading:
    """A process reads the configuration and looks up what it names."""

    loader: LoaderProcess


@dataclass(frozen=True, slots=True)
class _Booting:
    """The new generation is there, and not all of its workers accept yet."""

    generation: Generation
    change: ListenerChange
    deadline_s: float


class Reloader:
    """Puts another configuration into effect, as a whole or not at all; one at a time.

    ========  =======================================  ======================================
    state     waits for                                and then
    ========  =======================================  ======================================
    idle      an order to reload                       starts a loader: loading
    loading   the loader's result                      opens listeners, forks workers: booting
              (`loader.LOAD_TIMEOUT_S`)
    booting   all new workers to accept                `take_over`: idle
              (`BOOT_TIMEOUT_S`)
    ========  =======================================  ======================================

    From loading and booting, a failure and `abandon` lead back to idle: listeners are what they
    were, new workers are told to stop, and `refuse` is told why. Until `take_over` the old
    generation notices nothing. An order that comes meanwhile is followed as soon as it is idle.
    """

    def __init__(
        self,
        start_loader: Callable[[], LoaderProcess],
        listeners: OpenListeners,
        make_generation: MakeGeneration,
        take_over: TakeOver,
        refuse: Refuse,
    ) -> None:
        """`refuse` also gets the new generation, if there is one: its workers have yet to end."""
        self._start_loader = start_loader
        self._listeners = listeners
        self._make_generation = make_generation
        self._take_over = take_over
        self._refuse = refuse
        self._state: _Idle | _Loading | _Booting = _Idle()
        self._wanted = False

    @property
    def generation(self) -> Generation | None:
        """The one to come, as soon as it is there."""
        return self._state.generation if isinstance(self._state, _Booting) else None

    def want(self) -> None:
        """Reload, now or when the reload that is under way has ended."""
        self._wanted = True

    def descriptors(self) -> list[int]:
        """What to poll for."""
        match self._state:
            case _Loading(loader):
                return loader.descriptors()
            case _Booting(generation):
                return generation.workers.descriptors()
        return []

    @property
    def next_deadline_s(self) -> float | None:
        """When `tend` has something to do, whatever the descriptors say."""
        match self._state:
            case _Loading(loader):
                return loader.deadline_s
            case _Booting(generation, deadline_s=deadline_s):
                return min(filter(None, (deadline_s, generation.workers.next_deadline_s())))
        return None

    def tend(self) -> None:
        """Go on with the reload that is under way, and start the next one."""
        booted = self._tend_state()
        if booted is not None:
            self._state = _Idle()
            self._take_over(booted.generation, booted.change)
        if self._wanted and isinstance(self._state, _Idle):
            self._wanted = False
            self._start()

    def _tend_state(self) -> _Booting | None:
        """Do what the state waits for; returns what is ready to take over."""
        try:
            match self._state:
                case _Loading(loader):
                    self._tend_loading(loader)
                case _Booting() as booting if self._has_booted(booting):
                    return booting
        except ReloadRefused as refused:
            self._give_up(refused)
        except (Problem, OSError) as problem:
            self._give_up(ReloadRefused(str(problem)))
        return None

    def _start(self) -> None:
        try:
            self._state = _Loading(self._start_loader())
        except OSError as error:  # no process to be had
            self._give_up(ReloadRefused(str(refused("a process that loads the file", error))))

    def _tend_loading(self, loader: LoaderProcess) -> None:
        loaded = loader.tend()
        if loaded is None:
            return
        raise_limit(loaded.settings, loaded.listeners + loaded.key_logs)
        change = self._listeners.change(loaded.settings.routes, loaded.targets)
        try:
            generation = self._make_generation(loaded, change)
        except BaseException:
            change.undo()
            raise
        self._state = _Booting(generation, change, time.monotonic() + BOOT_TIMEOUT_S)
        generation.workers.start()

    def _has_booted(self, booting: _Booting) -> bool:
        workers = booting.generation.workers
        workers.tend()
        if not workers.all_ready_once and time.monotonic() >= booting.deadline_s:
            raise ReloadRefused(f"the new workers did not accept within {BOOT_TIMEOUT_S:g} s")
        return workers.all_ready_once

    def abandon(self, why: str) -> None:
        """End what is under way, and start nothing."""
        self._wanted = False
        if not isinstance(self._state, _Idle):
            self._give_up(ReloadRefused(why))

    def _give_up(self, refused: ReloadRefused) -> None:
        state, self._state = self._state, _Idle()
        match state:
            case _Loading(loader):
                loader.stop()
            case _Booting(generation, change):
                generation.workers.stop()
                change.undo()
        self._refuse(refused, state.generation if isinstance(state, _Booting) else None)

    def forget(self) -> None:
        """In a child: close what stands for the others."""
        match self._state:
            case _Loading(loader):
                loader.forget()
            case _Booting(generation):
                generation.workers.forget()
