"""What mirrors that write into a directory of their own have alike."""

from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_kinds.retention import Retention
from spliceproxy.sinks.directory_check import check_directory
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.file_directory import FileDirectory, name_failure
from spliceproxy.sinks.file_retention import Swept
from spliceproxy.sinks.file_sweeper import FileSweeper
from spliceproxy.sinks.sink import Medium, MirrorPeer, Sink

SweepOnce = Callable[[int, Callable[[], bool]], Swept]
"""Given the directory's descriptor; asks whether it is to end early."""


class DirectorySink(Sink):
    """Has the directory, which no other mirror writes into, and has it swept where it is limited.

    Its own settings are a `retention`, and whether to `trust_directory`.
    """

    medium = Medium.FILE
    keeps_records = True
    can_be_tried = True

    def __init__(
        self, settings: MirrorSettings, reactor: Reactor, disk: Disk, peer: MirrorPeer | None
    ) -> None:
        """See `Sink`."""
        super().__init__(settings, reactor, disk, peer)
        self._directory = FileDirectory(settings.target, trusted=settings.own.trust_directory)
        self._sweeper: FileSweeper | None = None
        kept: Retention = settings.own.retention
        if kept.is_limited:
            self._sweeper = FileSweeper(
                reactor, self._directory, kept, settings.text, self._sweep_within(kept)
            )

    @abstractmethod
    def _sweep_within(self, limits: Retention) -> SweepOnce:
        """Return what removes the oldest of what there is, within these limits."""

    @classmethod
    def check(cls, settings: MirrorSettings) -> None:
        """Create the directory if it is missing; refuse one that is not to be written into."""
        check_directory(settings, trusted=settings.own.trust_directory)

    @classmethod
    def directory(cls, settings: MirrorSettings) -> Path:
        """See `Sink.directory`."""
        return Path(settings.target)

    @property
    def is_busy(self) -> bool:
        """See `Sink.is_busy`."""
        return self._sweeper is not None and self._sweeper.is_busy

    def close(self) -> None:
        """See `Sink.close`."""
        if self._sweeper is not None:
            self._sweeper.close()

    def release(self) -> None:
        """See `Sink.release`."""
        self._directory.close()

    def try_out(self, done: Callable[[str], None]) -> None:
        """Write a file that has no name."""

        def told(job: "Future[None]") -> None:
            error = job.exception()
            if error is not None and not isinstance(error, OSError):
                raise error
            done("" if error is None else name_failure(error))

        self.disk.submit(self._directory.try_out, told)
