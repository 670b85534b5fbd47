"""The generations that there are: one accepts, older ones drain."""

from collections.abc import Callable, Iterator

import structlog

from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.master.compressor_keeper import CompressorKeeper
from spliceproxy.master.generation import Generation
from spliceproxy.master.hurry import HURRIED_DRAIN_S, count_connections, tell_hurried
from spliceproxy.master.privileges import Privileges
from spliceproxy.sinks.checks import directories_to_compress


class Generations:
    """Watches the workers of all of them, and has compressed what they write."""

    def __init__(
        self,
        first: Generation,
        table: SharedTable,
        forget_all: Callable[[], None],
        privileges: Privileges,
    ) -> None:
        """`forget_all` closes in a child what stands for all others."""
        self.current = first
        self._forget_all = forget_all
        self._privileges = privileges
        self._compressor = CompressorKeeper(self._be_apart)
        self._is_compressing = False  # as the current one wants it
        self._table = table
        self.hurried = 0
        """How many earlier ones had to end early, as there were too many."""
        self.ending: list[Generation] = []
        self._hurried: set[Generation] = set()
        self._log = structlog.get_logger()

    def __iter__(self) -> Iterator[Generation]:
        yield self.current
        yield from list(self.ending)

    @property
    def alive(self) -> bool:
        """Whether a worker of any of them lives, or will again."""
        return any(generation.workers.alive for generation in self)

    @property
    def mirror_directories(self) -> list[str]:
        """Where their workers write."""
        return [directory for generation in self for directory in generation.mirror_directories]

    def describe_draining(self) -> dict[str, int]:
        """Return how many earlier generations and workers are left, for a line in the log."""
        ending = [len(generation.workers.children) for generation in self.ending]
        draining = list(filter(None, ending))
        return {"draining_generations": len(draining), "draining_workers": sum(draining)}

    def descriptors(self) -> list[int]:
        """What to poll for."""
        of_workers = [fd for generation in self for fd in generation.workers.descriptors()]
        return of_workers + self._compressor.descriptors()

    def deadlines(self) -> list[float | None]:
        """When `tend` has something to do, whatever the descriptors say."""
        of_workers = [generation.workers.next_deadline_s() for generation in self]
        return [*of_workers, self._compressor.next_deadline_s]

    def tend(self) -> None:
        """Look after the workers, and forget generations of which nothing is left.

        Raises:
            BootProblem: a worker ended before all of them had accepted for the first time.
        """
        for generation in self:
            generation.workers.tend()
            if generation is not self.current and not generation.workers.alive:
                self.ending.remove(generation)
                self._hurried.discard(generation)
                self._log.info("generation_ended", generation=generation.number)
        self._have_compressed()

    def _have_compressed(self) -> None:
        if not self._is_compressing and self.current.workers.all_ready_once:
            self._is_compressing = True
            self._compressor.follow(directories_to_compress(self.current.settings))
        self._compressor.tend()

    def _be_apart(self) -> None:
        """In a child that has only files to do with."""
        self._forget_all()
        for generation in self:
            generation.logs.close_all_but(None)
        self._privileges.confine_worker(self.current.settings)

    def close(self) -> None:
        """End what is left: no worker is."""
        self._compressor.stop()

    def replace(self, new: Generation) -> Generation:
        """Let another one be the current one; returns the one before, which is to drain.

        Where too many drain then, the oldest ones drain faster.
        """
        old, self.current = self.current, new
        self._is_compressing = False
        self.ending.append(old)
        self._limit_draining(new.settings.max_generations)
        return old

    def _limit_draining(self, most: int) -> None:
        """Let no more than so many of the earlier ones take their time."""
        draining = {
            generation: connections
            for generation in self.ending
            if generation not in self._hurried
            and (connections := count_connections(generation, self._table))
        }
        for generation in list(draining)[: max(0, len(draining) - most)]:
            self._hurried.add(generation)
            self.hurried += 1
            tell_hurried(generation, draining[generation], most)
            generation.workers.drain(HURRIED_DRAIN_S)

    def refuse(self, new: Generation) -> None:
        """Wait for the end of one that never served, and is told to stop."""
        self.ending.append(new)
        self._hurried.add(new)

    def drain(self, timeout_s: float) -> None:
        """Tell all workers to let their connections finish within the timeout."""
        for generation in self:
            generation.workers.drain(timeout_s)

    def stop(self) -> None:
        """Tell all workers to end at once."""
        for generation in self:
            generation.workers.stop()

    def forget(self) -> None:
        """In a child: close what stands for the others."""
        for generation in self:
            generation.workers.forget()
        self._compressor.forget()
