"""The answers of one captured connection, frame by frame."""

from collections.abc import Iterator
from itertools import chain

from spliceproxy.capture import Connection
from spliceproxy.compare.gathered_capture import CapturedPiece, GatheredConnection
from spliceproxy.compare.latencies import Latencies
from spliceproxy.framing.first_bytes import FirstBytes
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
        begun: list[CapturedPiece] = []
        self.protocol = protocol or _guess(pieces, begun)
        self._pieces = chain(begun, pieces)
        self._latencies = latencies
        self._asked_ns: int | None = None

    def frames(self) -> Iterator[Frame]:
        """Return the answers; what nobody has asked for is left out, for its place is chance."""
        requests, answers = self.protocol.make()
        for time_ns, is_response, data in self._pieces:
            self.time_ns = time_ns
            if not is_response:
                self._asked_ns = time_ns
                requests.feed(data)
                continue
            if self._asked_ns is not None:
                self._latencies.add((time_ns - self._asked_ns) / 1e9)
                self._asked_ns = None
            yield from (frame for frame in answers.feed(data) if not frame.is_push)
        requests.end()
        yield from (frame for frame in answers.end() if not frame.is_push)


def ending(connection: Connection) -> str:
    """Return how the server's side of a connection ended.

    Who closed it first is left to chance: client and server may both be about to.
    """
    if "replay_of" in connection.facts and connection.reason not in ("", "closed"):
        return f"replay: {connection.reason}"
    is_reset = connection.ends.get("response") == "reset"
    return "reset" if is_reset and connection.ends.get("request") != "reset" else "closed"


def _guess(pieces: Iterator[CapturedPiece], begun: list[CapturedPiece]) -> WireProtocol:
    """Guess by the first pieces, which are put aside."""
    first = FirstBytes()
    for piece in pieces:
        begun.append(piece)
        first.add(piece.data, is_response=piece.is_response)
        if first.is_enough:
            break
    return first.guess()
