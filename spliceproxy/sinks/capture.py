"""`capture:` mirrors: a log of all connections, each byte with its time, in segments.

=====================  ==========================================================================
`capture_outlet`       one stream: makes records of its copies
`capture_answers`      what another mirror's peer answers, as a connection of its own
`capture_log`          puts records in order, has them written, begins and ends segments
`capture_batch`        what waits to be written
`capture_segment`      the file
`capture_left_out`     streams that were too many, and what is told of them
`capture_index`        which connections a segment has
`capture_sweep`        which segments go, by age and size
`capture_unfinished`   what a crash has left that is no segment yet
=====================  ==========================================================================

The format of segments is in `spliceproxy.formats.capture`.
"""

import os
from collections.abc import Callable
from dataclasses import fields
from functools import partial

import structlog

from spliceproxy.errors import quote
from spliceproxy.formats.capture.names import parse_segment_name
from spliceproxy.formats.zstd import open_zstd
from spliceproxy.kernel.file_lock import is_locked_at
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_kinds.capture import CaptureOptions
from spliceproxy.settings.mirror_kinds.retention import Retention
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.budget import MirrorShare
from spliceproxy.sinks.capture_answers import CaptureAnswers
from spliceproxy.sinks.capture_index import CapturedConnection
from spliceproxy.sinks.capture_left_out import left_out_streams
from spliceproxy.sinks.capture_log import CaptureLog
from spliceproxy.sinks.capture_outlet import CaptureOutlet
from spliceproxy.sinks.capture_sweep import SegmentSweep
from spliceproxy.sinks.capture_unfinished import remove_unfinished
from spliceproxy.sinks.connection_facts import ConnectionFacts
from spliceproxy.sinks.directory_sink import DirectorySink, SweepOnce
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.sink import CompressedDirectory, MirrorPeer


class CaptureSink(DirectorySink):
    """The log, in a directory that no other mirror writes into."""

    descriptors = 0
    own_descriptors = 6  # the directory, two segments; a sweeper's eventfd, lease and listing

    def __init__(
        self, settings: MirrorSettings, reactor: Reactor, disk: Disk, peer: MirrorPeer | None
    ) -> None:
        """See `Sink`."""
        super().__init__(settings, reactor, disk, peer)
        own: CaptureOptions = settings.own
        self._log = CaptureLog(reactor, disk, self._directory, own, settings.text)
        self._connections: dict[str, CapturedConnection] = {}

    def _sweep_within(self, limits: Retention) -> SweepOnce:
        return lambda root, is_stopped: SegmentSweep(root, limits, is_stopped).run()

    @classmethod
    def check(cls, settings: MirrorSettings) -> None:
        """See `Sink.check`."""
        if settings.own.compress:
            open_zstd(f"mirror {quote(settings.text)}: compress={settings.own.compress}")
        super().check(settings)

    @classmethod
    def to_compress(cls, settings: MirrorSettings) -> CompressedDirectory | None:
        """See `Sink.to_compress`."""
        own: CaptureOptions = settings.own
        if not own.compress:
            return None
        return CompressedDirectory(settings.target, own.trust_directory)

    @classmethod
    def report_left_behind(cls, settings: MirrorSettings) -> None:
        """Tell of segments that a crash has left without an index."""
        remove_unfinished(settings.target)
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

    def keeps_answers_in(self, directory: str) -> bool:
        """See `Sink.keeps_answers_in`."""
        return os.path.normpath(directory) == os.path.normpath(self.settings.target)

    def keep_answers(self, branch: Branch, name: str, share: MirrorShare) -> CaptureAnswers | None:
        """See `Sink.keep_answers`."""
        mirrored = self._connections.get(name)
        if mirrored is None:
            return None
        return CaptureAnswers(self._log, mirrored, branch, self.settings, self.reactor, share)

    def write_record(
        self, name: str, record: dict[str, object], done: Callable[[OSError | None], None]
    ) -> None:
        """Put in the connection's last record, and what is missing as a stream was one too many."""
        connection = self._connections.pop(name, None)
        if connection is None:
            connection = self._log.open_connection(partial(_describe_record, record))
        left_out = left_out_streams(connection, record, self.settings.text)
        self._log.close_connection(connection, left_out, record, done)

    @property
    def is_busy(self) -> bool:
        """See `Sink.is_busy`."""
        return self._log.is_busy or super().is_busy

    def wind_up(self) -> None:
        """See `Sink.wind_up`."""
        self._log.wind_up()

    def close(self) -> None:
        """End the segment, and the sweeps."""
        self._log.close()
        super().close()


def _describe(branch: Branch) -> dict[str, object]:
    return branch.facts().line()


def _describe_record(record: dict[str, object]) -> dict[str, object]:
    names = [field.name for field in fields(ConnectionFacts)]
    return {name: record[name] for name in names if record.get(name)}
