"""One direction of a link: what splicing and copying have in common."""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from spliceproxy.pump.endpoint import Endpoint
    from spliceproxy.pump.link import Link
    from spliceproxy.tap.fan_out import Tap


class Flow(ABC):
    """Moves bytes from one endpoint to the other, in order, holding one bufferful at most.

    A flow is filled only when nothing is pending. So whatever ends the source, an end of stream
    or an error, is met only after every byte before it was handed to the destination.
    """

    most_fill_bytes: ClassVar[int]
    """Most that one event moves, so that a bulk stream cannot starve a thousand small ones."""

    __slots__ = (
        "copied_bytes",
        "destination",
        "done",
        "end_is_near",
        "fill_bytes",
        "held",
        "link",
        "paused",
        "pending_bytes",
        "source",
        "spliced_bytes",
        "undelivered_bytes",
    )

    def __init__(self, link: "Link", source: "Endpoint", destination: "Endpoint") -> None:
        self.link = link
        self.source = source
        self.destination = destination
        self.done = False
        """The stream has ended, or can't go on."""
        self.paused = False
        """Bytes are pending for want of room at the destination, so the source is not read."""
        self.end_is_near = False
        """The source has sent its end of stream: no more is coming than it has now."""
        self.held = False
        """A tap asks not to read the source for now."""
        self.fill_bytes = self.most_fill_bytes
        """Most that the next fill takes: 1 or more."""
        self.pending_bytes = 0
        """Taken from the source, not yet handed to the destination."""
        self.spliced_bytes = 0
        self.copied_bytes = 0
        self.undelivered_bytes = 0

    @property
    def taken_bytes(self) -> int:
        """What has been read from the source so far."""
        return self.spliced_bytes + self.copied_bytes + self.pending_bytes + self.undelivered_bytes

    @property
    def tap(self) -> "Tap | None":
        """What copies this flow, if anything does."""
        return None

    def take_over(self, predecessor: "Flow") -> None:
        """Go on where another flow leaves off; what is pending is for the two to hand over."""
        self.spliced_bytes = predecessor.spliced_bytes
        self.copied_bytes = predecessor.copied_bytes
        self.paused = predecessor.paused
        self.held = predecessor.held
        self.end_is_near = predecessor.end_is_near

    @abstractmethod
    def pump(self) -> None:
        """Move one event's worth. The source is readable, and nothing is pending."""

    def pump_to_end(self) -> None:
        """Move one event's worth, and look for the end of the stream behind it at once.

        The bytes are handed on with the word that more is to follow (MSG_MORE), so that the end
        travels in their last segment: one packet less, and one wake-up of the peer. It is safe
        only here, where what follows is known: shutdown(2) pushes what waits, and after anything
        else the next event, which the end keeps asserted, comes at once.
        """
        self.end_is_near = True
        self.pump()
        if not (self.done or self.paused or self.held):
            self.pump()

    @abstractmethod
    def drain(self) -> None:
        """Hand on what is pending. The destination has room."""

    @abstractmethod
    def discard_pending(self) -> None:
        """Lose what is pending, and release what holds it."""

    def set_paused(self) -> None:
        """Stop reading the source while bytes are pending, and read on when none are."""
        self.paused = self.pending_bytes > 0
        self.source.update()
        self.destination.update()

    def source_failed(self, error: OSError) -> None:
        """The source is gone, and the destination has all that came before."""
        self.done = True
        self.link.endpoint_failed(self.source, error.errno or 0)

    def source_ended(self) -> None:
        """The source has sent its last byte, and the destination has taken it."""
        self.done = True
        if self.link.is_last(self):
            self.link.end()
            return
        self.link.half_closed()
        self.link.first_to_end = self.source.name
        self.source.update()
        try:
            self.destination.sock.shutdown(socket.SHUT_WR)
        except OSError as error:  # ENOTCONN: the peer has reset meanwhile
            self.link.destination_failed(self, error.errno or 0)

    def destination_failed(self, error: OSError) -> None:
        """The destination takes no more; what is pending for it is lost."""
        self.abandon()
        self.link.destination_failed(self, error.errno or 0)

    def abandon(self) -> None:
        """Give the direction up; what is pending is lost, and counted."""
        self.done = True
        self.paused = False
        self.undelivered_bytes += self.pending_bytes
        self.discard_pending()


FlowMaker = Callable[["Link", "Endpoint", "Endpoint"], Flow]
