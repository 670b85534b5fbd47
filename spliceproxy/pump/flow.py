"""One direction of a link: what splicing and copying have in common."""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from spliceproxy.pump.endpoint import Endpoint
    from spliceproxy.pump.link import Link


class Flow(ABC):
    """Moves bytes from one endpoint to the other, in order, holding one bufferful at most.

    A flow is filled only when nothing is pending. So whatever ends the source, an end of stream
    or an error, is met only after every byte before it was handed to the destination.

    It reads its source unless it is `done`, `paused` or `held`; whoever changes one of these has
    the source look again (`Endpoint.update`).
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
        "successor",
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
        """Somebody asks not to read the source for now."""
        self.successor: Flow | None = None
        """Who goes on in its place; whoever is still at work on this one leaves the rest to it."""
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

    @abstractmethod
    def pump(self) -> None:
        """Move one event's worth: take some from the source, and drain it.

        Before: the source is readable, and nothing is pending. After: nothing is pending, or it
        is paused with exactly `pending_bytes`, or done, or has a successor.
        """

    def meet_end(self) -> None:
        """As `pump`, where as a rule nothing is left but the end."""
        self.pump()

    @abstractmethod
    def drain(self) -> None:
        """Hand on what is pending. The destination has room.

        Before: `pending_bytes`, 1 or more, are here. After: as `pump`.
        """

    @abstractmethod
    def discard_pending(self) -> None:
        """Lose what is pending, and release what holds it. After: nothing is pending."""

    def hand_over(self, successor: "Flow") -> None:
        """Have another flow go on in this direction: no byte is lost, doubled or out of order.

        Before: exactly `pending_bytes` are with the successor, in the form in which it holds
        them. After: it has the number, too, with the pause that belongs to it, the hold, the word
        of a near end, and the account. So the endpoints are watched for the same as before.
        """
        successor.pending_bytes, self.pending_bytes = self.pending_bytes, 0
        successor.spliced_bytes = self.spliced_bytes
        successor.copied_bytes = self.copied_bytes
        successor.paused = self.paused
        successor.held = self.held
        successor.end_is_near = self.end_is_near
        self.successor = successor
        self.link.replace(self, successor)

    def set_paused(self) -> None:
        """Stop reading the source while bytes are pending, and read on when none are."""
        self.paused = self.pending_bytes > 0
        self.source.update()
        self.destination.update()

    def source_failed(self, error: OSError) -> None:
        """The source is gone, or what was taken from it; the destination has what came before."""
        self.abandon()
        self.link.endpoint_failed(self.source, error.errno or 0)

    def source_ended(self) -> None:
        """The source has sent its last byte, and the destination has taken it."""
        self.done = True
        if self.destination.inbound.done:  # the other direction has ended before
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
