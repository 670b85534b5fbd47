"""`capture:` mirrors: a log of all connections, each byte with its time, in segments.

=====================  ==========================================================================
`capture_outlet`       one stream: makes records of its copies
`capture_log`          puts records in order, has them written, begins and ends segments
`capture_batch`        what waits to be written
`capture_segment`      the file
`capture_index`        which connections a segment has
`capture_sweep`        which segments go, by age and size
=====================  ==========================================================================

The format of segments is in `spliceproxy.formats.capture`.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import structlog

from spliceproxy.formats.capture.names import parse_segment_name
from spliceproxy.kernel.file_lock import is_locked_at
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_kinds.capture import CaptureOptions
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.capture_index import CapturedConnection
from spliceproxy.sinks.capture_log import CaptureLog
from spliceproxy.sinks.capture_outlet import CaptureOutlet
from spliceproxy.sinks.capture_sweep import SegmentSweep
from spliceproxy.sinks.directory_check import check_directory
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.file_directory import FileDirectory, name_failure
from spliceproxy.sinks.file_sweeper import FileSweeper
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.sink import Medium, Sink, Targets


class CaptureSink(Sink):
    """The log, in a directory that no other mirror writes into."""

    descriptors = 0
    own_descriptors = 6  # the directory, two segments; a sweeper's eventfd, lease and listing
    medium = Medium.FILE
    keeps_records = True
    can_be_tried = True

    def __init__(
        self, settings: MirrorSettings, reactor: Reactor, disk: Disk, targets: Targets | None
    ) -> None:
        """See `Sink`."""
        super().__init__(settings, reactor, disk, targets)
        own: CaptureOptions = settings.own
        self._directory = FileDirectory(settings.target, trusted=own.trust_directory)
        self._log = CaptureLog(reactor, disk, self._directory, own, settings.text)
        self._connections: dict[str, CapturedConnection] = {}
        self._sweeper: FileSweeper | None = None
        kept = own.retention
        if kept.is_limited:
            self._sweeper = FileSweeper(
                reactor,
                self._directory,
                kept,
                settings.text,
                lambda root, is_stopped: SegmentSweep(root, kept, is_stopped).run(),
            )

    @classmethod
    def check(cls, settings: MirrorSettings) -> None:
        """Create the directory if it is missing; refuse one that is not to be written into."""
        check_directory(settings, trusted=settings.own.trust_directory)

    @classmethod
    def directory(cls, settings: MirrorSettings) -> Path:
        """See `Sink.directory`."""
        return Path(settings.target)

    @classmethod
    def report_left_behind(cls, settings: MirrorSettings) -> None:
        """Tell of segments that a crash has left without an index."""
        with os.scandir(settings.target) as entries:
            names = [parse_segment_name(entry.name) for entry in entries]
        left = sorted(name.text for name in names if name is not None and name.is_open)
        left = [name for name in left if not is_locked_at(f"{settings.target}/{name}")]
        if left:
            structlog.get_logger().warning(
                "unfinished_segments", mirror=settings.text, count=len(left), files=left[:10]
            )

    def make_outlet(self, branch: Branch, name: str) -> Outlet:
        """See `Sink.make_outlet`."""
        connection = self._connections.get(name)
        if connection is None:
            describe = partial(_describe, branch)
            connection = self._connections[name] = self._log.open_connection(describe)
        return CaptureOutlet(branch, self._log, connection)

    def write_record(
        self, name: str, record: dict[str, object], done: Callable[[OSError | None], None]
    ) -> None:
        """Put in the connection's last record; one that has no other has none."""
        connection = self._connections.pop(name, None)
        if connection is None:
            done(None)
        else:
            self._log.close_connection(connection, record, done)

    def try_out(self, done: Callable[[str], None]) -> None:
        """Write a file that has no name."""

        def told(job: "Future[None]") -> None:
            error = job.exception()
            if error is not None and not isinstance(error, OSError):
                raise error
            done("" if error is None else name_failure(error))

        self.disk.submit(self._directory.try_out, told)

    @property
    def is_busy(self) -> bool:
        """See `Sink.is_busy`."""
        return self._log.is_busy or (self._sweeper is not None and self._sweeper.is_busy)

    def wind_up(self) -> None:
        """See `Sink.wind_up`."""
        self._log.wind_up()

    def close(self) -> None:
        """End the segment, and the sweeps."""
        self._log.close()
        if self._sweeper is not None:
            self._sweeper.close()

    def release(self) -> None:
        """See `Sink.release`."""
        self._directory.close()


def _describe(branch: Branch) -> dict[str, object]:
    return branch.facts().line()
