"""`null:` counts and drops: what a tap costs before a sink costs anything."""

import os

from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.outlet import GATHER_BYTES, GATHER_S


class NullOutlet:
    """Moves chunks into /dev/null, pipes by splice."""

    gather_bytes, gather_s = GATHER_BYTES, GATHER_S

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
        """End: the branch has flushed what had waited."""
        self._branch.closed()

    def cut(self) -> None:
        """End now."""
        self._branch.closed()


def open_null() -> int:
    """Open /dev/null for writing."""
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
