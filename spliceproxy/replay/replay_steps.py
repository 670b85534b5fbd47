"""What a player does for one recorded connection, step by step."""

from dataclasses import dataclass
from enum import Enum

from spliceproxy.capture import Closed, Data, End, Event, Missing, Opened
from spliceproxy.replay.recorded_values import ValueSpot


class StepKind(Enum):
    """What is to be done."""

    SEND = "send"
    FINISH = "finish"  # half-close: the request stream has ended
    RESET = "reset"
    AWAIT_END = "await_end"  # the backend ended the answer stream
    OVER = "over"


@dataclass(slots=True)
class ReplayStep:
    """One step; all copies of a connection share it."""

    kind: StepKind
    time_ns: int
    """When it was recorded, since 1970."""
    answer_bytes: int
    """So long was the answer stream by then."""
    data: bytes = b""
    is_reset: bool = False
    """The backend broke off its answers."""
    spots: tuple[ValueSpot, ...] = ()
    """Where the data has values that are to be the target's."""
    holders: int = 1
    """Queues that have it."""


class StepMaker:
    """Belongs to one recorded connection, and takes its events in order."""

    def __init__(self) -> None:
        self.why_incomplete = ""
        """``mid_stream`` or ``gap`` if request bytes are missing."""
        self.request_bytes = 0
        self.answer_bytes = 0
        """Of the stream; so gaps in it count."""
        self._next: int | None = None  # of the request stream
        self._is_known = False  # later segments introduce it again

    def step(self, event: Event) -> ReplayStep | None:
        """Return what an event asks a player to do; None: nothing."""
        if isinstance(event, Data):  # by far the most are: it is the hot path
            if event.direction == "request":
                return self._data(event)
            answer_bytes = event.offset + len(event.data)
            if answer_bytes > self.answer_bytes:
                self.answer_bytes = answer_bytes
            self._is_known = True
            return None
        match event:
            case Missing(direction="request"):
                self._miss("gap")
                self._next = event.offset + (event.length or 0)
            case Missing():
                self.answer_bytes = max(self.answer_bytes, event.offset + (event.length or 0))
            case End():
                return self._end(event)
            case Closed():
                return ReplayStep(StepKind.OVER, event.time_ns, self.answer_bytes)
            case Opened(is_continued=True) if not self._is_known:
                self._miss("mid_stream")
        self._is_known = True
        return None

    def _data(self, event: Data) -> ReplayStep:
        expected = self._next or 0
        if event.offset != expected:
            self._miss("gap" if self._next is not None else "mid_stream")
        self._next = event.offset + len(event.data)
        self.request_bytes += len(event.data)
        return ReplayStep(StepKind.SEND, event.time_ns, self.answer_bytes, event.data)

    def _end(self, event: End) -> ReplayStep | None:
        if event.direction == "response":
            return ReplayStep(
                StepKind.AWAIT_END, event.time_ns, self.answer_bytes, is_reset=event.is_reset
            )
        if event.offset != (self._next or 0):
            self._miss("gap" if self._next is not None else "mid_stream")
        kind = StepKind.RESET if event.is_reset else StepKind.FINISH
        return ReplayStep(kind, event.time_ns, self.answer_bytes)

    def _miss(self, why: str) -> None:
        self.why_incomplete = self.why_incomplete or why
