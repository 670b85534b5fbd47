"""What brings the copies of one stream to a sink: the interface between a branch and a kind."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from spliceproxy.tap.chunk import PipeChunk

if TYPE_CHECKING:
    from spliceproxy.sinks.branch import Branch
    from spliceproxy.sinks.capture_answers import CaptureAnswers


GATHER_BYTES, GATHER_S = 16 << 10, 0.010
"""For streams: a system call for each message of 100 bytes would cost as much as its relay."""


class Outlet(ABC):
    """Takes chunks from a branch's queue and gets them to the sink.

    It calls `Branch.delivered` for what has arrived, `Branch.fail` when it can't go on, and
    `Branch.closed` once when all is over.

    If the branch is vital, it also calls `Branch.opened` when it can take bytes, which it does not
    put off until there are any; and, if it goes on after that, `Branch.recorded` when the sink has
    the whole of a stream that has ended well.
    """

    gather_bytes: int = GATHER_BYTES
    gather_s: float = GATHER_S
    """What it costs to hand over is worth it for so many bytes, or when they are so old."""
    goodbye_s: float | None = None
    """How long it may take to end when it has all of its stream; None: as long as for a flush."""

    is_open_from_the_start: bool = False
    """It need not be waited for: the sink, which can be tried out, takes what others send."""
    bounds_opening: bool = False
    """It gives up by itself if it can't be opened in time."""

    answers: "CaptureAnswers | None" = None
    """What it records of the sink's answers."""

    @abstractmethod
    def start(self) -> None:
        """All of the connection's branches are there: begin. The branch may fail at once."""

    @abstractmethod
    def flush(self) -> None:
        """Chunks are waiting: move what can be moved now."""

    @abstractmethod
    def finish(self, *, clean: bool) -> None:
        """Nothing more will be queued: end when the queue is empty, and tell clean ends apart."""

    @abstractmethod
    def cut(self) -> None:
        """End at once; a job under way in a thread is waited for, so `closed` may come later."""


class Recorder(Protocol):
    """Takes copies when they come; what it has taken is queued until it is written."""

    overhead_bytes: int
    """Memory that each takes beside its bytes, until `Branch.release_overhead`."""

    def take_bytes(self, data: bytes, offset: int) -> None:
        """Take what stands at that offset of the branch's stream."""

    def take_pipe(self, chunk: PipeChunk) -> None:
        """Take what is in a pipe, and stands at the chunk's offset."""


class NoOutlet(Outlet):
    """Stands for the outlet of a stream too many: there is none."""

    def __init__(self, branch: "Branch") -> None:
        self._branch = branch

    def start(self) -> None:
        """Give the branch up."""
        self._branch.fail("too_many_streams")

    def flush(self) -> None:
        """Let the queue be; the branch is about to be given up."""

    def finish(self, *, clean: bool) -> None:
        """End."""
        self._branch.closed()

    def cut(self) -> None:
        """End."""
        self._branch.closed()
