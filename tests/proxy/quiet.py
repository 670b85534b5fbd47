"""The check that a worker with nothing to do does nothing."""

import time

import trio

_WATCHED_S = 0.2
_BUSY_PART = 0.25


async def assert_quiet() -> None:
    """Processor time stands still; a spinning worker would take all there is.

    The bound leaves room for the timers of a test's own and for a machine that is busy.
    """
    busy_s = time.process_time()
    await trio.sleep(_WATCHED_S)
    busy_s = time.process_time() - busy_s
    assert busy_s < _BUSY_PART * _WATCHED_S
