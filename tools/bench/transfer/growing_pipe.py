"""A pipe that grows with its load."""

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import FULL_CAPACITY_BYTES, Pipe

_SMALLEST_BYTES = 4 << 10


class GrowingPipe(Pipe):
    """Starts with one page, and doubles whenever a fill took all of it.

    For loads that are mostly small: its memory is what was needed once.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_SMALLEST_BYTES, _SMALLEST_BYTES)

    def note_fill(self, count: int) -> None:
        """Grow if that fill took all there was. Call it when the pipe is empty again."""
        if count >= self.capacity_bytes < FULL_CAPACITY_BYTES:
            wanted_bytes = 2 * self.capacity_bytes
            self.capacity_bytes = syscalls.set_pipe_capacity(self.write_fd, wanted_bytes)
