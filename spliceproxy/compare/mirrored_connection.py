"""A connection whose request mirrors get, too: what the client was answered."""

from collections.abc import Callable

from spliceproxy.capture import Connection, ConnectionId, Data, Event
from spliceproxy.compare.alignment import RECORDED
from spliceproxy.compare.answer_framer import AnswerFramer
from spliceproxy.compare.beginning import Beginning
from spliceproxy.compare.gathered_capture import CapturedPiece
from spliceproxy.compare.latencies import Latencies
from spliceproxy.compare.mirrored_answers import MirroredAnswers
from spliceproxy.framing.frame import Frame
from spliceproxy.framing.wire_protocol import WireProtocol

Sort = Callable[[MirroredAnswers], Latencies]
"""Tells where the latencies of a mirror's peer belong."""


def notes_gap(facts: Connection, event: Event) -> bool:
    """Take an event into account; whether bytes are missing before it, told or not."""
    before = facts.gaps, facts.begins_mid_stream
    facts.note(event)
    return (facts.gaps, facts.begins_mid_stream) != before


class MirroredConnection:
    """Tells all mirrors of its answers; the first bytes decide which protocol it is."""

    def __init__(
        self,
        facts: Connection,
        protocol: WireProtocol | None,
        latencies: Latencies,
        sort: Sort,
        decided: Callable[[WireProtocol], None],
    ) -> None:
        """`protocol`: None if it is to be guessed; `decided` is told it, of what is mirrored."""
        self.facts = facts
        self.mirrors: dict[ConnectionId, MirroredAnswers] = {}
        self._protocol = protocol
        self._decided = decided
        self.is_left_out = False
        """It is not compared."""
        self._is_cut = False
        self._latencies = latencies
        self._sort = sort
        self._beginning = Beginning(is_hurried=True)
        self._framer: AnswerFramer | None = None

    @property
    def held_bytes(self) -> int:
        """What waits, with that of all its mirrors."""
        return self._beginning.size + sum(mirror.held_bytes for mirror in self.mirrors.values())

    @property
    def is_compared(self) -> bool:
        """Whether anything more is to be compared."""
        return not self.is_left_out and not all(
            mirror.is_given_up for mirror in self.mirrors.values()
        )

    def add_mirror(self, mirror: MirroredAnswers) -> None:
        """One more mirror gets its request."""
        self.mirrors[mirror.facts.id] = mirror
        if self._framer is not None and self._protocol is not None:
            mirror.speak(self._protocol, self._sort(mirror))

    def note(self, event: Event) -> None:
        """Take what has happened on the client's own connection."""
        is_missing = notes_gap(self.facts, event)
        if self._is_cut or not self.is_compared:
            return
        if is_missing:
            self.cut_off()
        elif isinstance(event, Data):
            self._take(CapturedPiece(event.time_ns, event.direction == "response", event.data))

    def cut_off(self) -> None:
        """What follows cannot be compared."""
        if self._framer is None:
            self._decide()
        self._is_cut = True
        for mirror in self.mirrors.values():
            mirror.cut_off(RECORDED)

    def give_up(self) -> None:
        """Compare no more, and hold nothing."""
        for mirror in self.mirrors.values():
            mirror.give_up()
        self._beginning = Beginning()

    def _take(self, piece: CapturedPiece) -> None:
        if self._framer is not None:
            self._feed(self._framer, piece)
            return
        self._beginning.add(piece)
        if self._protocol is not None or self._beginning.is_enough:
            self._decide()

    def _decide(self) -> AnswerFramer:
        protocol = self._protocol = self._protocol or self._beginning.guess()
        self._decided(protocol)
        framer = self._framer = AnswerFramer(protocol, self._latencies)
        for mirror in self.mirrors.values():
            mirror.speak(protocol, self._sort(mirror))
        pieces, self._beginning = self._beginning.pieces, Beginning()
        for piece in pieces:
            self._feed(framer, piece)
        return framer

    def _feed(self, framer: AnswerFramer, piece: CapturedPiece) -> None:
        frames = framer.feed(piece)
        if piece.is_response:
            for mirror in self.mirrors.values():
                mirror.where.time_ns = piece.time_ns
                mirror.note_stream(RECORDED, piece.data)
            self._tell(frames)

    def _tell(self, frames: list[Frame]) -> None:
        for mirror in self.mirrors.values():
            mirror.add(RECORDED, frames)

    def end(self) -> None:
        """The connection is over, and its mirrors are: compare what is left."""
        if not self.is_compared:
            return
        framer = self._framer or self._decide()
        if not self._is_cut:
            self._tell(framer.end())
        for mirror in self.mirrors.values():
            mirror.end(self.facts)
