"""A running reactor, and watchers that do what a test says."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from spliceproxy.loop.reactor import Reactor

PATIENCE_S = 10.0


class Watcher:
    """Calls a function for its events, and remembers them."""

    def __init__(self, act: Callable[[int], object] = lambda events: None) -> None:
        self._act = act
        self.events: list[int] = []
        self.crashes: list[Exception] = []

    def on_events(self, events: int) -> None:
        self.events.append(events)
        self._act(events)

    def on_crash(self, error: Exception) -> None:
        self.crashes.append(error)


@asynccontextmanager
async def running_reactor() -> AsyncIterator[Reactor]:
    reactor = Reactor()
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reactor.run)
            yield reactor
            nursery.cancel_scope.cancel()
    reactor.close()


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait for something that no event tells."""
    while not holds():  # noqa: ASYNC110 - what is waited for knows nothing of the test
        await trio.sleep(0.002)
