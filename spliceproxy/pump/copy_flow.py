"""A flow through this process's memory: the same semantics where splice is not to be had."""

from typing import TYPE_CHECKING

from spliceproxy.kernel import syscalls
from spliceproxy.pump.flow import Flow

if TYPE_CHECKING:
    from spliceproxy.pump.endpoint import Endpoint
    from spliceproxy.pump.link import Link

COPY_BYTES = 112 << 10
"""Most that one event moves, and that a paused flow holds: seven records of TLS. From 128 KiB on
malloc maps each buffer anew, also for a message of a few bytes (M_MMAP_THRESHOLD, mallopt(3))."""


class CopyFlow(Flow):
    """Reads and writes. Urgent data needs no care here: a read steps over its mark."""

    most_fill_bytes = COPY_BYTES

    __slots__ = ("pending",)

    def __init__(self, link: "Link", source: "Endpoint", destination: "Endpoint") -> None:
        super().__init__(link, source, destination)
        self.pending: bytes | memoryview = b""

    def pump(self) -> None:
        """Read from the source, then drain."""
        if self.fill():
            self.drain()

    def fill(self) -> int:
        """Read from the source into `pending`; how many bytes, 0 when there is nothing."""
        try:
            data = syscalls.receive(self.source.sock, self.fill_bytes)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.source_failed(error)
            return 0
        if data:
            self.pending = data
            self.pending_bytes = len(data)
        else:
            self.source_ended()
        return len(data)

    def drain(self) -> None:
        """Write to the destination; what falls short waits in memory."""
        try:
            count = syscalls.send(self.destination.sock, self.pending, more=self.end_is_near)
        except BlockingIOError:
            count = 0
        except OSError as error:
            self.destination_failed(error)
            return
        if count:
            self.link.last_active_s = self.link.reactor.now_s
            self.copied_bytes += count
            self.pending_bytes -= count
            self.pending = memoryview(self.pending)[count:] if self.pending_bytes else b""
        if self.paused != (self.pending_bytes > 0):
            self.set_paused()

    def discard_pending(self) -> None:
        """Forget what is pending."""
        self.pending = b""
        self.pending_bytes = 0
