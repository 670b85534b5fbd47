"""`null:` counts and drops: what a tap costs before a sink costs anything."""

import os

from spliceproxy.sinks.branch import Branch


class NullOutlet:
    """Moves chunks into /dev/null, pipes by splice."""

    def __init__(self, branch: Branch, null_fd: int) -> None:
        self._branch = branch
        self._null_fd = null_fd

    def flush(self) -> None:
        """Drop all that is queued."""
        queue = self._branch.queue
        while queue:
            chunk = queue[0]
            count = chunk.write_to(self._null_fd)
            if not chunk.size:
                queue.popleft().discard()
            self._branch.delivered(count)

    def finish(self, *, clean: bool) -> None:
        """End now: nothing ever waits."""
        self._branch.closed()

    def cut(self) -> None:
        """End now."""
        self._branch.closed()


def open_null() -> int:
    """Open /dev/null for writing."""
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
