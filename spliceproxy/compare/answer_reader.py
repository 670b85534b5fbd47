"""The answers of one captured connection, frame by frame."""

from collections.abc import Iterator
from itertools import chain

from spliceproxy.capture import Connection
from spliceproxy.compare.answer_framer import AnswerFramer
from spliceproxy.compare.beginning import Beginning
from spliceproxy.compare.gathered_capture import GatheredConnection
from spliceproxy.compare.latencies import Latencies
from spliceproxy.framing.frame import Frame
from spliceproxy.framing.wire_protocol import WireProtocol


class AnswerReader:
    """Reads as far as frames are asked for."""

    def __init__(
        self,
        connection: GatheredConnection,
        protocol: WireProtocol | None,
        latencies: Latencies,
    ) -> None:
        """Look at the beginning to guess the protocol, unless it is known."""
        self.connection = connection
        self.time_ns = connection.facts.began_ns
        """Of what was read last."""
        pieces = connection.pieces()
        beginning = Beginning()
        while protocol is None and not beginning.is_enough:
            piece = next(pieces, None)
            if piece is None:
                break
            beginning.add(piece)
        self.protocol = protocol or beginning.guess()
        self._pieces = chain(beginning.pieces, pieces)
        self._latencies = latencies

    def frames(self) -> Iterator[Frame]:
        """Return the answers."""
        framer = AnswerFramer(self.protocol, self._latencies)
        for piece in self._pieces:
            self.time_ns = piece.time_ns
            yield from framer.feed(piece)
        yield from framer.end()


def ending(connection: Connection) -> str:
    """Return how the server's side of a connection ended.

    Who closed it first is left to chance: client and server may both be about to.
    """
    if "replay_of" in connection.facts and connection.reason not in ("", "closed"):
        return f"replay: {connection.reason}"
    is_reset = connection.ends.get("response") == "reset"
    return "reset" if is_reset and connection.ends.get("request") != "reset" else "closed"
