"""What one mirror's peer answers on one connection, beside what the client was answered."""

from spliceproxy.capture import Connection
from spliceproxy.compare.alignment import NEW, RECORDED, Alignment, Side
from spliceproxy.compare.answer_framer import AnswerFramer
from spliceproxy.compare.answer_reader import ending
from spliceproxy.compare.first_difference import StreamComparison
from spliceproxy.compare.gathered_capture import CapturedPiece
from spliceproxy.compare.latencies import Latencies
from spliceproxy.compare.pair_tally import PairTally, PlaceOfAnswers
from spliceproxy.framing.frame import Frame
from spliceproxy.framing.raw import RAW
from spliceproxy.framing.wire_protocol import WireProtocol

CUT_OFF = frozenset(
    {
        *("buffer_full", "budget_full", "spool_full", "too_many_streams", "copy_failed"),
        *("connection_aborted", "stopped", "stopped_by_operator", ""),
    }
)
"""Reasons for the end of a mirror's stream that say nothing of its peer: what it has not answered
it may not have been asked. Those of spools begin with ``spool_``."""

_FRAME_BYTES = 400
_FIELD_BYTES = 150
"""What objects take beside their texts, roughly."""


class MirroredAnswers:
    """Compares as soon as it can; `held_bytes` is roughly what waits for the other side."""

    def __init__(self, facts: Connection, pairs: PairTally, where: PlaceOfAnswers) -> None:
        """`where`: those of the connection that is mirrored; its time is kept up to date."""
        self.facts = facts
        self.where = where
        self.held_bytes = 0
        self.is_given_up = False
        """Nothing more is compared."""
        self.is_cut_off = False
        """Before its end, and not by the peer."""
        self._cut: set[Side] = set()
        self._is_closed = False
        self._pairs = pairs
        self._alignment = Alignment()
        self._framer: AnswerFramer | None = None
        self._streams: StreamComparison | None = None
        self._before: list[CapturedPiece] = []  # the protocol was known

    def speak(self, protocol: WireProtocol, latencies: Latencies) -> None:
        """The protocol is known."""
        if self.is_given_up:
            return
        framer = self._framer = AnswerFramer(protocol, latencies)
        self._streams = StreamComparison() if protocol is RAW else None
        before, self._before = self._before, []
        for piece in before:
            self.held_bytes -= len(piece.data)
            self._feed(framer, piece)
        if self._cut:
            self._compare()
        elif self._is_closed:
            self._answers_no_more(framer)

    def take(self, piece: CapturedPiece) -> None:
        """Take what the peer was sent, or has answered."""
        if self.is_given_up or NEW in self._cut:
            return
        if self._framer is None:
            self._before.append(piece)
            self.held_bytes += len(piece.data)
        else:
            self._feed(self._framer, piece)

    def _feed(self, framer: AnswerFramer, piece: CapturedPiece) -> None:
        if piece.is_response:
            self.note_stream(NEW, piece.data)
        self.add(NEW, framer.feed(piece))

    def note_stream(self, side: Side, data: bytes) -> None:
        """Take a part of a stream, to find where streams without frames differ."""
        if self._streams is not None:
            self._streams.add(side, data)

    def add(self, side: Side, frames: list[Frame]) -> None:
        """Take answers, and compare what belongs together."""
        if self.is_given_up or not frames:
            return
        for frame in frames:
            self._alignment.add(side, frame)
            self.held_bytes += _size(frame)
        self._compare()

    def _compare(self) -> None:
        for one, other in self._alignment.pairs():
            self.held_bytes -= sum(_size(frame) for frame in (one, other) if frame is not None)
            self._pairs.compare(one, other, self.where, self._place)
        if any(not self._alignment.has(side) for side in self._cut):
            self.give_up()

    def cut_off(self, side: Side) -> None:
        """Bytes of a side are missing from here on: compare what has come."""
        if self.is_given_up:
            return
        self.is_cut_off = True
        self._cut.add(side)
        if self._framer is not None:
            self._compare()

    def _place(self) -> tuple[int, str, str] | None:
        return None if self._streams is None else self._streams.place

    def close(self, recorded: Connection) -> None:
        """The peer answers no more; what it was not asked it need not have answered."""
        self._is_closed = True
        asked = (self.facts.closed or {}).get("request_bytes", 0)
        was_asked_all = isinstance(asked, int) and asked >= recorded.request_bytes
        if self._is_cut_off or (self.facts.reason == "closed" and not was_asked_all):
            self.cut_off(NEW)
        elif self._framer is not None:
            self._answers_no_more(self._framer)

    def _answers_no_more(self, framer: AnswerFramer) -> None:
        self.add(NEW, framer.end())
        self._alignment.end(NEW)
        self._compare()

    def end(self, recorded: Connection) -> None:
        """Both are over: what the client alone was answered is a difference."""
        if self.is_given_up:
            return
        if not self._is_closed:
            self.close(recorded)
        if not self._cut:
            self._alignment.end(RECORDED)
            self._compare()
            self._pairs.compare_endings(ending(recorded), self._ending(), self.where)
        self.give_up()

    @property
    def _is_cut_off(self) -> bool:
        """Whether it was not the peer's own doing that it has answered no more."""
        reason = self.facts.reason
        return reason in CUT_OFF or reason.startswith("spool_")

    def _ending(self) -> str:
        if self.facts.reason != "closed":
            return f"mirror: {self.facts.reason}"
        return ending(self.facts)

    def give_up(self) -> None:
        """Compare no more."""
        self.is_given_up = True
        self.held_bytes = 0
        self._alignment = Alignment()
        self._framer = self._streams = None
        self._before = []


def _size(frame: Frame) -> int:
    texts = sum(len(path) + len(value) for path, value in frame.fields.items())
    return _FRAME_BYTES + _FIELD_BYTES * len(frame.fields) + texts
