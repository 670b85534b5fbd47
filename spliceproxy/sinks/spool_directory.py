"""Whether `overflow=spill` has a directory to write into, before anything depends on it."""

import os
import tempfile
from collections.abc import Iterable

import structlog

from spliceproxy.errors import UsageProblem, quote
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.segment import open_unlinked

_REMEDY = "set TMPDIR to a directory that this user can write into"


def check_spools(mirrors: Iterable[MirrorSettings]) -> None:
    """Write a byte where spools would go, and warn where the disk has less room than one may take.

    Raises:
        UsageProblem: no directory for temporary files can be written into.
    """
    largest = max(
        (mirror for mirror in mirrors if mirror.overflow == "spill"),
        key=lambda mirror: mirror.spool_bytes,
        default=None,
    )
    if largest is None:
        return
    try:
        free_bytes = _try_out()
    except OSError as error:
        raise UsageProblem(
            f"mirror {quote(largest.text)}: overflow=spill has no directory for its spool "
            f"({error.strerror})",
            _REMEDY,
        ) from error
    _warn(largest, free_bytes)


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


def _warn(largest: MirrorSettings, free_bytes: int) -> None:
    log, directory = structlog.get_logger(), tempfile.gettempdir()
    wanted = os.environ.get("TMPDIR")
    if wanted and os.path.realpath(wanted) != os.path.realpath(directory):
        log.warning("tmpdir_not_used", tmpdir=wanted, spool_directory=directory, remedy=_REMEDY)
    if free_bytes < largest.spool_bytes:
        log.warning(
            "spool_directory_small",
            spool_directory=directory,
            mirror=largest.text,
            free_bytes=free_bytes,
            spool_bytes=largest.spool_bytes,
            remedy="set TMPDIR to a larger disk, or spool= to what there is",
        )
