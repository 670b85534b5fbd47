"""`file:` mirrors: a directory with a file for each stream, and a record beside them.

Files are named so that they sort by time, in a directory for each day. They end in ``.part`` until
the stream is over, and in ``.incomplete`` after that if it is not whole. A crash leaves ``.part``
files behind, and the next start reports them.

=====================  ==========================================================================
`file_names`           what is called how, and told from what is not ours
`file_directory`       opens, renames, writes records, always relative to one descriptor
`file_outlet`          one stream
`file_retention`       which files go: one sweep over the directory
`file_lease`           who of all processes sweeps
`file_sweeper`         when, and what is told of it
=====================  ==========================================================================
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import structlog

from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_kinds.retention import Retention
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.directory_sink import DirectorySink, SweepOnce
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.file_names import PART_SUFFIX, is_day
from spliceproxy.sinks.file_outlet import FileOutlet
from spliceproxy.sinks.file_retention import DaySizes, Sweep
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.sink import MirrorPeer


class FileSink(DirectorySink):
    """The directory, which is no other mirror's: they would write the same names."""

    descriptors = 1
    own_descriptors = 6  # the directory, a day; a sweeper's eventfd, lease, day and its listing

    def __init__(
        self, settings: MirrorSettings, reactor: Reactor, disk: Disk, peer: MirrorPeer | None
    ) -> None:
        """See `Sink`."""
        super().__init__(settings, reactor, disk, peer)
        disk.submit(self._directory.root, _note_opened)

    def _sweep_within(self, limits: Retention) -> SweepOnce:
        sizes = DaySizes()
        return lambda root, is_stopped: Sweep(root, limits, sizes, is_stopped).run()

    @classmethod
    def report_left_behind(cls, settings: MirrorSettings) -> None:
        """Tell of the files that a crash has left unfinished."""
        left = sorted(_find_parts(Path(settings.target)))
        if left:
            structlog.get_logger().warning(
                "unfinished_files", mirror=settings.text, count=len(left), files=left[:10]
            )

    def make_outlet(self, branch: Branch, name: str) -> Outlet:
        """See `Sink.make_outlet`."""
        return FileOutlet(branch, self.disk, self._directory, name)

    def write_record(
        self, name: str, record: dict[str, object], done: Callable[[OSError | None], None]
    ) -> None:
        """Write a connection's record beside its files, whole or not at all."""

        def told(job: "Future[None]") -> None:
            error = job.exception()
            if error is not None and not isinstance(error, OSError):
                raise error
            done(error)

        self.disk.submit(lambda: self._directory.write_record(name, record), told)


def _note_opened(job: "Future[int]") -> None:
    """Each stream tries again, and says why it cannot."""
    error = job.exception()
    if error is not None and not isinstance(error, OSError):
        raise error


def _find_parts(directory: Path) -> Iterator[str]:
    """Return unfinished files, with the directories of their days."""
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(PART_SUFFIX):
                yield entry.name
            elif is_day(entry.name) and entry.is_dir(follow_symlinks=False):
                yield from (f"{entry.name}/{name}" for name in _find_parts(Path(entry.path)))
