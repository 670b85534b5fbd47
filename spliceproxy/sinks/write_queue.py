"""Writing a branch's queue to a descriptor that is ready, or may be."""

from spliceproxy.sinks.branch import Branch

_TURN_BYTES = 1 << 20
"""Most that one event writes, so that a mirror cannot starve the traffic."""


def write_queue(branch: Branch, fd: int) -> None:
    """Write chunks until the queue is empty, the descriptor is full, or the turn is over.

    Raises:
        OSError: the descriptor's error; what was not written stays queued.
    """
    queue = branch.queue
    left_bytes = _TURN_BYTES
    while queue and left_bytes > 0:
        chunk = queue[0]
        try:
            count = chunk.write_to(fd)
        except BlockingIOError:
            return
        if not chunk.size:
            queue.popleft().discard()
        left_bytes -= count
        branch.delivered(count)
