"""What a kind of mirror does: the one interface between a worker's mirrors and a kind."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.tls.dialer import TlsDialer

if TYPE_CHECKING:
    from spliceproxy.sinks.branch import Branch
    from spliceproxy.sinks.budget import Budget, MirrorShare
    from spliceproxy.sinks.capture_answers import CaptureAnswers

Targets = Callable[[], Iterator[SocketAddress]]
"""Which addresses to try for the next connection."""


@dataclass(frozen=True, slots=True)
class MirrorPeer:
    """Whom a mirror connects to."""

    targets: Targets
    tls: TlsDialer | None = None
    """What a connection is secured by; None: without TLS."""


class Medium(Enum):
    """What copies are spliced into, which decides on what has to be possible."""

    SOCKET = "socket"
    PIPE = "pipe"
    FILE = "file"
    DEVICE = "device"  # /dev/null


@dataclass(frozen=True, slots=True)
class CompressedDirectory:
    """One in which what is finished is compressed, by a process that is no worker."""

    path: str
    trusted: bool
    """Nobody's rights are looked at."""


class Sink(ABC):
    """Where the copies of one mirror of a worker go; there as long as the mirror is.

    What all its streams share, such as one process or one file, is its own, and ends with it.
    """

    descriptors: ClassVar[int]
    """Of one stream, without its spool's; those of chunks on their way are in the reserve."""
    own_descriptors: ClassVar[int] = 0
    """Of the sink itself, at most, however many streams there are."""
    medium: ClassVar[Medium]
    keeps_records: ClassVar[bool] = False
    """It writes down what became of each connection."""
    calls: ClassVar[tuple[str, ...]] = ("pipe2", "eventfd2")
    """Which of `kernel.refusals.CALLS` it can't do without."""
    records_answers: bool = False
    """What its peer answers is recorded."""
    can_be_tried: ClassVar[bool] = False
    """It can find out without a stream whether one could be opened: `try_out`."""

    def __init__(
        self, settings: MirrorSettings, reactor: Reactor, disk: Disk, peer: MirrorPeer | None
    ) -> None:
        """`peer`: None unless the settings have an address.

        Raises:
            OSError: it cannot be opened.
        """
        self.settings = settings
        self.reactor = reactor
        self.disk = disk
        self.peer = peer

    @classmethod  # noqa: B027 - a peer need not be there
    def check(cls, settings: MirrorSettings) -> None:
        """Refuse what could never work, before there is a worker. May block.

        Raises:
            UsageProblem: says what is wrong, and the remedy.
        """

    @classmethod
    def directory(cls, settings: MirrorSettings) -> Path | None:
        """Return the directory that no other mirror may write into; None: there is none."""
        return None

    @classmethod
    def to_compress(cls, settings: MirrorSettings) -> CompressedDirectory | None:
        """Return the directory in which what is finished is to be compressed; None: there is none.

        It is done as segments of captures are: see `spliceproxy.capture.compress`.
        """
        return None

    @classmethod  # noqa: B027 - few leave any
    def report_left_behind(cls, settings: MirrorSettings) -> None:
        """Tell of what a crash has left unfinished. May block."""

    def meet(self, others: Sequence["Sink"], budget: "Budget") -> None:  # noqa: B027 - few do
        """All mirrors of the route are there: find those that this one needs."""

    def keeps_answers_in(self, directory: str) -> bool:
        """Whether it is the one that records answers of other mirrors there."""
        return False

    def keep_answers(
        self, branch: "Branch", name: str, share: "MirrorShare"
    ) -> "CaptureAnswers | None":
        """Begin to record what is answered to a branch of another mirror.

        All of the connection's branches have been made. None: it does not record the connection.
        """
        return None

    @abstractmethod
    def make_outlet(self, branch: "Branch", name: str) -> Outlet:
        """Return what brings a branch's copies here; `name` is the connection's."""

    def write_record(
        self, name: str, record: dict[str, object], done: Callable[[OSError | None], None]
    ) -> None:
        """Write down a connection that is over, then call ``done``; if it keeps records."""
        done(None)

    def try_out(self, done: Callable[[str], None]) -> None:
        """Find out whether a stream could be opened, then call ``done`` with a reason why not.

        An empty one means that it could. Called again only after that; not at all unless
        `can_be_tried`. A sink that is closed meanwhile calls no more.
        """
        done("")

    @property
    def is_busy(self) -> bool:
        """Whether something is under way that is not a job of the disk."""
        return False

    def wind_up(self) -> None:  # noqa: B027 - few have it
        """No stream comes any more: begin to end what takes time, such as jobs of the disk.

        May be called again and again. A mirror that is detached is closed, which waits, only when
        nothing is under way any more: connections go on meanwhile.
        """

    def close(self) -> None:  # noqa: B027 - few have it
        """End what all streams share; the disk is open still, and all streams are over or cut."""

    def release(self) -> None:  # noqa: B027 - few have it
        """End what records need, too: the disk is closed, and no job comes any more."""
