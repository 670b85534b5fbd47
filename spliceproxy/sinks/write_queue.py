"""Writing a branch's queue to a descriptor, or a socket that encrypts, which may be ready."""

from spliceproxy.kernel.sockets import Socket
from spliceproxy.sinks.branch import Branch
from spliceproxy.tap.chunk import BytesChunk, PipeChunk

_TURN_BYTES = 1 << 20
"""Most that one event writes, so that a mirror cannot starve the traffic."""
_LOAD_BYTES = 64 << 10
"""Of a pipe at once, for a socket that encrypts: four records of TLS."""


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


def send_queue(branch: Branch, sock: Socket) -> None:
    """Send chunks, as `write_queue`, by a socket into which nothing can be spliced.

    What is in a pipe comes into memory a part at a time, and stays at the head of the queue until
    the socket has taken it.

    Raises:
        OSError: the socket's error; what was not sent stays queued.
    """
    queue = branch.queue
    left_bytes = _TURN_BYTES
    while queue and left_bytes > 0:
        chunk = queue[0]
        if isinstance(chunk, PipeChunk):
            loaded = chunk.load(_LOAD_BYTES)
            if not chunk.size:
                queue.popleft().discard()
            queue.appendleft(loaded)
            chunk = loaded
        assert isinstance(chunk, BytesChunk)  # noqa: S101 - there are no others
        try:
            count = chunk.send_by(sock)
        except BlockingIOError:
            return
        if not chunk.size:
            queue.popleft().discard()
        left_bytes -= count
        branch.delivered(count)
