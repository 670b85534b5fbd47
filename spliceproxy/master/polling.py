"""The master's one wait, for descriptors and for the nearest deadline."""

import select
import time
from collections.abc import Iterable


def wait(
    readable: Iterable[int], writable: Iterable[int], deadlines_s: Iterable[float | None]
) -> None:
    """Return when a descriptor is ready, or a deadline is over (`time.monotonic`)."""
    poll = select.poll()
    for fd in readable:
        poll.register(fd, select.POLLIN)
    for fd in writable:
        poll.register(fd, select.POLLOUT)
    deadline_s = min(filter(None, deadlines_s), default=None)
    poll.poll(None if deadline_s is None else max(0.0, deadline_s - time.monotonic()) * 1000)


def is_readable(fd: int, timeout_s: float = 0.0) -> bool:
    """Return whether a descriptor is readable by now, or within the timeout."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))
