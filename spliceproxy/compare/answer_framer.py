"""The answers of one connection, frame by frame, as its bytes come."""

from spliceproxy.compare.gathered_capture import CapturedPiece
from spliceproxy.compare.latencies import Latencies
from spliceproxy.framing.frame import Frame
from spliceproxy.framing.wire_protocol import WireProtocol


class AnswerFramer:
    """What nobody has asked for is left out, for its place is chance."""

    def __init__(self, protocol: WireProtocol, latencies: Latencies) -> None:
        self._requests, self._answers = protocol.make()
        self._latencies = latencies
        self._asked_ns: int | None = None

    def feed(self, piece: CapturedPiece) -> list[Frame]:
        """Take what comes next of either direction; return the answers that it completes."""
        if not piece.is_response:
            self._asked_ns = piece.time_ns
            self._requests.feed(piece.data)
            return []
        if self._asked_ns is not None:
            self._latencies.add((piece.time_ns - self._asked_ns) / 1e9)
            self._asked_ns = None
        return [frame for frame in self._answers.feed(piece.data) if not frame.is_push]

    def end(self) -> list[Frame]:
        """Both directions have ended; return what is left of the answers."""
        self._requests.end()
        return [frame for frame in self._answers.end() if not frame.is_push]
