"""One direction of a link: fill an empty buffer from the source, drain it to the destination."""

import socket
from typing import TYPE_CHECKING

from spliceproxy.pump.buffer import Buffer, MemoryBuffer, SpliceRefusedError

if TYPE_CHECKING:
    from spliceproxy.pump.endpoint import Endpoint
    from spliceproxy.pump.link import Link


class Flow:
    """Moves bytes from one endpoint to the other, in order, holding at most one buffer of them.

    The buffer is filled only when it is empty. So whatever ends the source, an end of stream or
    an error, is seen only after every byte before it was handed to the destination.
    """

    __slots__ = (
        "_buffer",
        "_link",
        "copied_bytes",
        "destination",
        "done",
        "paused",
        "source",
        "spliced_bytes",
        "undelivered_bytes",
    )

    def __init__(self, link: "Link", source: "Endpoint", destination: "Endpoint", buffer: Buffer):
        self._link = link
        self._buffer = buffer
        self.source = source
        self.destination = destination
        self.done = False
        """The stream has ended, or can't go on."""
        self.paused = False
        """Bytes are pending for want of room at the destination, so the source is not read."""
        self.spliced_bytes = 0
        self.copied_bytes = 0
        self.undelivered_bytes = 0

    @property
    def delivered_bytes(self) -> int:
        """Bytes that the destination's socket has taken."""
        return self.spliced_bytes + self.copied_bytes

    def pump(self) -> None:
        """Move one event's worth. Nothing is pending on entry."""
        source = self.source
        try:
            count = self._buffer.fill(source.sock, source.fd)
        except BlockingIOError:
            return
        except SpliceRefusedError as refusal:
            self._copy_from_now_on(refusal)
            return  # the source is still readable, so its event comes again
        except OSError as error:
            self.done = True
            self._link.source_failed(self, error)
            return
        if count:
            self.drain()
        else:
            self.done = True
            self._link.source_ended(self)

    def drain(self) -> None:
        """Hand on what is pending; what the destination has no room for pauses the source."""
        buffer = self._buffer
        destination = self.destination
        before_bytes = buffer.pending_bytes
        try:
            buffer.drain(destination.sock, destination.fd)
        except BlockingIOError:
            pass
        except SpliceRefusedError as refusal:
            self._copy_from_now_on(refusal)
            self.drain()
            return
        except OSError as error:
            self.abandon()
            self._link.destination_failed(self, error)
            return
        else:
            self._link.last_active_s = self._link.reactor.now_s
            if buffer.splices:
                self.spliced_bytes += before_bytes - buffer.pending_bytes
            else:
                self.copied_bytes += before_bytes - buffer.pending_bytes
        if self.paused != (buffer.pending_bytes > 0):
            self.paused = not self.paused
            self.source.update()
            destination.update()

    def abandon(self) -> None:
        """Give the direction up: what is pending is lost, and counted."""
        self.done = True
        self.paused = False
        self.undelivered_bytes = self._buffer.pending_bytes
        self._buffer.discard()

    def end_destination(self) -> None:
        """Pass the end of the stream on: a FIN behind all bytes."""
        try:
            self.destination.sock.shutdown(socket.SHUT_WR)
        except OSError as error:  # ENOTCONN: the peer has reset meanwhile
            self._link.destination_failed(self, error)

    def _copy_from_now_on(self, refusal: SpliceRefusedError) -> None:
        self._buffer = MemoryBuffer(self._buffer.take_bytes())
        self._link.splice_refused(refusal.cause)
