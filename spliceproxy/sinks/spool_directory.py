"""Whether `overflow=spill` has a directory to write into, before anything depends on it."""

import os
import tempfile
from collections.abc import Iterable, Iterator

import structlog

from spliceproxy.errors import UsageProblem, quote
from spliceproxy.kernel.real_path import real_path
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.spool_file import open_unlinked

_REMEDY = "set TMPDIR to a directory that this user can write into"


SpoolWarning = tuple[str, dict[str, str | int]]
"""An event for the log, and what it tells."""


def check_spools(mirrors: Iterable[MirrorSettings]) -> None:
    """Write a byte where spools would go, and warn where the disk has less room than one may take.

    Raises:
        UsageProblem: no directory for temporary files can be written into.
    """
    for event, told in find_spool_warnings(mirrors):
        structlog.get_logger().warning(event, **told)


def find_spool_warnings(mirrors: Iterable[MirrorSettings]) -> list[SpoolWarning]:
    """Write a byte where spools would go; what to warn of.

    Raises:
        UsageProblem: no directory for temporary files can be written into.
    """
    largest = max(
        (mirror for mirror in mirrors if mirror.overflow == "spill"),
        key=lambda mirror: mirror.spool_bytes,
        default=None,
    )
    if largest is None:
        return []
    try:
        free_bytes = _try_out()
    except OSError as error:
        raise UsageProblem(
            f"mirror {quote(largest.text)}: overflow=spill has no directory for its spool "
            f"({error.strerror})",
            _REMEDY,
        ) from error
    return list(_judge(largest, free_bytes))


def _try_out() -> int:
    """Return how many bytes are free for spools.

    Raises:
        OSError: nothing can be written there.
    """
    fd = open_unlinked()
    try:
        os.write(fd, b"\0")
        disk = os.fstatvfs(fd)
    finally:
        os.close(fd)
    return disk.f_bavail * disk.f_frsize


def _judge(largest: MirrorSettings, free_bytes: int) -> Iterator[SpoolWarning]:
    directory, wanted = tempfile.gettempdir(), os.environ.get("TMPDIR")
    if wanted and real_path(wanted) != real_path(directory):
        told: dict[str, str | int] = {"tmpdir": wanted, "spool_directory": directory}
        yield "tmpdir_not_used", {**told, "remedy": _REMEDY}
    if free_bytes < largest.spool_bytes:
        yield (
            "spool_directory_small",
            {
                "spool_directory": directory,
                "mirror": largest.text,
                "free_bytes": free_bytes,
                "spool_bytes": largest.spool_bytes,
                "remedy": "set TMPDIR to a larger disk, or spool= to what there is",
            },
        )
