"""A pipe that grows with its load."""

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import FULL_CAPACITY_BYTES, Pipe

_SMALLEST_BYTES = 4 << 10


class GrowingPipe(Pipe):
    """Starts with one page, and doubles whenever a fill took all of it.

    For loads that are mostly small: its memory is what was needed once. Where the kernel gives no
    more, it stays as large as it is.
    """

    __slots__ = ("most_bytes",)

    def __init__(self, most_bytes: int = FULL_CAPACITY_BYTES) -> None:
        super().__init__(_SMALLEST_BYTES, _SMALLEST_BYTES)
        self.most_bytes = most_bytes
        """It does not ask for more; less than at first once the kernel has refused."""

    def note_fill(self, count: int) -> None:
        """Grow if that fill took all there was. Call it when the pipe is empty again."""
        if count >= self.capacity_bytes < self.most_bytes:
            wanted_bytes = 2 * self.capacity_bytes
            try:
                self.capacity_bytes = syscalls.set_pipe_capacity(self.write_fd, wanted_bytes)
            except OSError:  # EPERM: fs.pipe-user-pages-soft or fs.pipe-max-size; ENOMEM
                # Not asked again: every full fill would cost a call that is refused.
                self.most_bytes = self.capacity_bytes
