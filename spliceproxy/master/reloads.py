"""One reload at a time: one that is asked for meanwhile follows it."""

from collections.abc import Callable

from spliceproxy.master.generation import Generation
from spliceproxy.master.loading import ReloadRefused
from spliceproxy.master.reload import Reload, Reloaded


class Reloads:
    """Starts reloads, and says what has come of each."""

    def __init__(
        self,
        start: Callable[[], Reload],
        accept: Callable[[Reloaded], None],
        refuse: Callable[[ReloadRefused, Generation | None], None],
    ) -> None:
        """`refuse` also gets the new generation, if there is one: it has to be watched."""
        self._start = start
        self._accept = accept
        self._refuse = refuse
        self._reload: Reload | None = None
        self._wanted = False

    @property
    def generation(self) -> Generation | None:
        """The one to come, as soon as it is there."""
        return None if self._reload is None else self._reload.generation

    def want(self) -> None:
        """Reload, now or when the one that is under way has ended."""
        self._wanted = True

    def descriptors(self) -> list[int]:
        """What to poll for."""
        return [] if self._reload is None else self._reload.descriptors()

    def next_deadline_s(self) -> float | None:
        """When `tend` has something to do, whatever the descriptors say."""
        return None if self._reload is None else self._reload.next_deadline_s()

    def tend(self) -> None:
        """Go on with the reload that is under way, and start the next one."""
        try:
            done = None if self._reload is None else self._reload.tend()
        except ReloadRefused as refused:
            self._end(refused)
        else:
            if done is not None:
                self._reload = None
                self._accept(done)
        if self._reload is None and self._wanted:
            self._wanted = False
            try:
                self._reload = self._start()
            except OSError as error:  # no process to be had
                self._end(ReloadRefused(f"nothing can be loaded ({error.strerror})"))

    def abandon(self, why: str) -> None:
        """End what is under way, and start nothing."""
        self._wanted = False
        if self._reload is not None:
            self._reload.abandon()
            self._end(ReloadRefused(why))

    def forget(self) -> None:
        """In a child: close what stands for the others."""
        if self._reload is not None:
            self._reload.forget()

    def _end(self, refused: ReloadRefused) -> None:
        reload, self._reload = self._reload, None
        self._refuse(refused, None if reload is None else reload.generation)
