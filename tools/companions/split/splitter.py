"""One stream to many places by tee(2), the last by splice(2); nothing is copied on the way.

What arrives is in a pipe. For each target but the last, tee puts references to the same pages into
the target's own, empty pipe, which is then spliced out. The last gets what is in the first pipe.
Everything waits for the slowest target; one that fails is left out, and the others go on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import Pipe

Take = Callable[[Pipe, int], int]
"""Waits for bytes, and moves up to so many into an empty pipe; how many, 0 at the end."""


@dataclass
class Target:
    """Where a copy goes: a descriptor that may block, and the pipe on the way there."""

    name: str
    fd: int
    pipe: Pipe
    written_bytes: int = 0
    problem: str = ""

    def drain(self, held_bytes: int) -> None:
        """Splice all of the pipe into the target. What a failed one leaves there stays there."""
        try:
            while held_bytes:
                count = syscalls.splice(self.pipe.read_fd, self.fd, held_bytes)
                held_bytes -= count
                self.written_bytes += count
        except OSError as error:
            self.problem = error.strerror or str(error)


def split(take: Take, targets: list[Target]) -> None:
    """Copy a stream to all targets, to its end or until none of them takes any more.

    Raises:
        OSError: the source has failed; every target has what came before.
    """
    capacity_bytes = _make_equal([target.pipe for target in targets])
    while alive := [target for target in targets if not target.problem]:
        *others, last = alive
        held_bytes = take(last.pipe, capacity_bytes)
        if not held_bytes:
            return
        for target in others:
            copied_bytes = syscalls.tee(last.pipe.read_fd, target.pipe.write_fd, held_bytes)
            assert copied_bytes == held_bytes, "the pipes have as many slots"  # noqa: S101
            target.drain(held_bytes)
        last.drain(held_bytes)


def _make_equal(pipes: list[Pipe]) -> int:
    """Shrink all pipes to the smallest, so that tee into an empty one is always complete."""
    capacity_bytes = min(pipe.capacity_bytes for pipe in pipes)
    for pipe in pipes:
        syscalls.set_pipe_capacity(pipe.write_fd, capacity_bytes)
    return capacity_bytes
