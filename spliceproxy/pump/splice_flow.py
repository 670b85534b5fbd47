"""A flow through a borrowed pipe: no byte enters the process."""

from typing import TYPE_CHECKING

from spliceproxy.kernel import splice_refusals, syscalls
from spliceproxy.kernel.pipes import NoPipeError, Pipe, PipeLender
from spliceproxy.pump.copy_flow import CopyFlow
from spliceproxy.pump.flow import Flow

if TYPE_CHECKING:
    from spliceproxy.pump.endpoint import Endpoint
    from spliceproxy.pump.link import Link

FILL_BYTES = 1 << 20
_NONBLOCK, _MORE = syscalls.SPLICE_NONBLOCK, syscalls.SPLICE_MORE


class SpliceFlow(Flow):
    """Holds a pipe only while bytes are pending in it.

    The pipe is empty before each fill. Full pipe and empty socket are both EAGAIN, and thereby
    the error can only mean the socket.
    """

    most_fill_bytes = FILL_BYTES

    __slots__ = ("_after_stop_bytes", "_pool", "_reads_first", "_stops", "pipe")

    def __init__(
        self, pool: PipeLender, link: "Link", source: "Endpoint", destination: "Endpoint"
    ) -> None:
        super().__init__(link, source, destination)
        self._pool = pool
        self.pipe: Pipe | None = None
        """What is pending, if anything is."""
        self._stops, self._after_stop_bytes, self._reads_first = 0, -1, False

    def pump(self) -> None:
        """Fill an empty pipe from the source, then drain it."""
        if self.fill():
            self.drain()

    def meet_end(self) -> None:
        """As `pump`, of one byte at most: a read, which has the last word, looks for the end."""
        self._reads_first = True
        self.pump()
        self._reads_first = False

    def fill(self) -> int:
        """Splice from the source into an empty pipe; how many bytes, 0 when there is nothing.

        Before: no pipe is held. After: exactly `pending_bytes` are in `pipe`; if that is 0, no
        pipe is held.
        """
        try:
            pipe = self.pipe = self._pool.borrow()
        except NoPipeError as error:
            self._copy_from_now_on(error.cause)
            return 0  # the source is still readable, so its event comes again
        count = 0
        try:
            if not self._reads_first:
                count = syscalls.splice(
                    self.source.fd, pipe.write_fd, self.fill_bytes, None, None, _NONBLOCK
                )
        except OSError as error:
            count = self._fill_failed(pipe, error)
        else:
            if not count:
                count = self._step_over_urgent_mark(pipe)
        self.pending_bytes = count
        return count

    def drain(self) -> None:
        """Splice from the pipe into the destination; what falls short waits in the pipe."""
        pipe = self.pipe
        assert pipe is not None, "drain is for pending bytes"  # noqa: S101
        flags = _MORE if self.end_is_near else _NONBLOCK
        try:
            count = syscalls.splice(
                pipe.read_fd, self.destination.fd, self.pending_bytes, None, None, flags
            )
        except BlockingIOError:
            count = 0
        except OSError as error:
            if error.errno in splice_refusals.REFUSALS:
                self._copy_from_now_on(error)
            else:
                self.destination_failed(error)
            return
        if count:
            self.link.last_active_s = self.link.reactor.now_s
            self.spliced_bytes += count
            self.pending_bytes -= count
        if not self.pending_bytes:
            self._pool.give_back(pipe)
            self.pipe = None
            if self.paused:
                self.set_paused()
        elif not self.paused:
            self.set_paused()

    def discard_pending(self) -> None:
        """Close the pipe if it holds bytes."""
        if self.pipe is not None:
            self._pool.discard(self.pipe)
            self.pipe = None
        self.pending_bytes = 0

    def _give_back(self) -> None:
        if self.pipe is not None:
            self._pool.give_back(self.pipe)
            self.pipe = None

    def _fill_failed(self, pipe: Pipe, error: OSError) -> int:
        """Deal with a fill that took nothing; how many bytes are in the pipe nevertheless."""
        if isinstance(error, BlockingIOError):
            return self._step_over_urgent_mark(pipe)
        self._give_back()
        if error.errno in splice_refusals.REFUSALS:
            self._copy_from_now_on(error)
        else:
            self.source_failed(error)
        return 0

    def _step_over_urgent_mark(self, pipe: Pipe) -> int:
        """Take the byte behind an urgent mark, or copy: splice stops; see `kernel.splice_refusals`.

        The urgent byte itself is out of band and is not forwarded.
        """
        self._stops = self._stops + 1 if self.spliced_bytes == self._after_stop_bytes else 1
        many = self._stops >= splice_refusals.STOPS_IN_A_ROW
        if many and splice_refusals.is_starved(self.source.sock):
            self._copy_from_now_on(splice_refusals.SpliceStarvedError())
            return 0
        try:
            data = syscalls.receive(self.source.sock, 1)
        except OSError as error:
            self._give_back()
            if not isinstance(error, BlockingIOError):
                self.source_failed(error)
            return 0
        if not data:
            self._give_back()
            self.source_ended()
            return 0
        self._after_stop_bytes = self.spliced_bytes + 1
        try:
            pipe.write_all(data)
        except OSError as error:
            self.pending_bytes = len(data)
            self.source_failed(error)
            return 0
        return len(data)

    def make_copying(self) -> CopyFlow:
        """Make the flow that goes on where splice is refused."""
        return CopyFlow(self.link, self.source, self.destination)

    def _copy_from_now_on(self, cause: OSError) -> None:
        """Hand over to a flow that copies, and have it drain what is pending."""
        flow = self.make_copying()
        if self.pipe is not None:
            try:
                flow.pending = self.pipe.read_all(self.pending_bytes)
            except OSError as error:
                self.source_failed(error)
                return
            self._give_back()
        self.hand_over(flow)
        self.link.owner.splice_refused(cause)
        if flow.pending_bytes:
            flow.drain()
