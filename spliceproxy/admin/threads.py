"""What may block, done by a thread."""

from collections.abc import Callable
from typing import TypeVar

import trio

from spliceproxy.admin.messages import RefusedError

Result = TypeVar("Result")


async def run_in_thread(do: Callable[[], Result], threads: trio.CapacityLimiter) -> Result:
    """Call in one of these threads; on cancellation it is left behind.

    Raises:
        RefusedError: no thread can be started.
    """
    try:
        return await trio.to_thread.run_sync(do, abandon_on_cancel=True, limiter=threads)
    except RuntimeError as error:  # so Python tells of an errno of clone(2)
        raise RefusedError(503, f"no thread is to be had for it: {error}") from error
