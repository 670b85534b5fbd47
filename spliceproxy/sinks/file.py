"""`file:` mirrors: a directory with a file for each stream, and a record beside them.

Files are named so that they sort by time. They end in ``.part`` until the stream is over, and in
``.incomplete`` after that if bytes are missing. A crash leaves ``.part`` files behind, and the
next start reports them and keeps them.
"""

import json
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import structlog

from spliceproxy.errors import UsageProblem, quote
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.file_outlet import PART_SUFFIX, FileOutlet, name_error
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.sink import Medium, Sink

_TRIAL_BYTES = 64 << 10
"""A disk that has only a block left is full."""


class FileSink(Sink):
    """The directory, which is no other mirror's: they would write the same names."""

    descriptors = 1
    medium = Medium.FILE
    keeps_records = True
    can_be_tried = True

    @classmethod
    def check(cls, settings: MirrorSettings) -> None:
        """Create the directory if it is missing; refuse one that cannot be written into."""
        directory = Path(settings.target)
        try:
            directory.mkdir(mode=0o700, exist_ok=True)  # traffic is nobody else's to read
            # Permission bits tell too little: root passes them, a read-only disk has them too.
            with tempfile.TemporaryFile(dir=directory):
                pass
        except FileExistsError:
            raise UsageProblem(
                f"mirror {quote(settings.text)}: the path exists and is not a directory",
                "expected a directory for the files, new or not",
            ) from None
        except (OSError, ValueError) as problem:  # ValueError: the name has no form on this disk
            why = problem.strerror if isinstance(problem, OSError) else problem
            raise UsageProblem(
                f"mirror {quote(settings.text)}: cannot create files there: {why}",
                "expected a writable directory, or a new one in a writable directory that exists",
            ) from None

    @classmethod
    def directory(cls, settings: MirrorSettings) -> Path:
        """See `Sink.directory`."""
        return Path(settings.target)

    @classmethod
    def report_left_behind(cls, settings: MirrorSettings) -> None:
        """Tell of the files that a crash has left unfinished; they are kept."""
        left = sorted(path.name for path in Path(settings.target).glob("*" + PART_SUFFIX))
        if left:
            structlog.get_logger().warning(
                "unfinished_files", mirror=settings.text, count=len(left), files=left[:10]
            )

    def make_outlet(self, branch: Branch, name: str) -> Outlet:
        """See `Sink.make_outlet`."""
        path = Path(self.settings.target) / f"{name}-{branch.direction}"
        return FileOutlet(branch, self.disk, path)

    def write_record(
        self, name: str, record: dict[str, object], done: Callable[[OSError | None], None]
    ) -> None:
        """Write a connection's record beside its files, whole or not at all."""
        path = Path(self.settings.target) / f"{name}.json"

        def told(job: "Future[None]") -> None:
            error = job.exception()
            if error is not None and not isinstance(error, OSError):
                raise error
            done(error)

        self.disk.submit(lambda: _write(path, record), told)

    def try_out(self, done: Callable[[str], None]) -> None:
        """Write a file that has no name."""

        def told(job: "Future[None]") -> None:
            error = job.exception()
            if error is not None and not isinstance(error, OSError):
                raise error
            done("" if error is None else name_error(error))

        self.disk.submit(lambda: _try_out(self.settings.target), told)


def _try_out(directory: str) -> None:
    """In a thread."""
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(bytes(_TRIAL_BYTES))
        file.flush()


def _write(path: Path, record: dict[str, object]) -> None:
    """In a thread."""
    part = path.with_name(path.name + PART_SUFFIX)
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(record, file, default=str, indent=1)
            file.write("\n")
        part.rename(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
