"""Whether a mirror may write into its directory, found out before there is a worker."""

import contextlib
import os
import tempfile
from pathlib import Path

import structlog

from spliceproxy.errors import UsageProblem, quote
from spliceproxy.kernel.trusted_directory import (
    UntrustedDirectoryError,
    open_directory,
    open_parent,
    split,
)
from spliceproxy.settings.mirror import MirrorSettings


def check_directory(settings: MirrorSettings, *, trusted: bool) -> None:
    """Create the directory if it is missing; refuse one that is not to be written into.

    Raises:
        UsageProblem: says what is wrong, and the remedy.
    """
    try:
        _create(settings.target, trusted=trusted)
        os.close(open_directory(settings.target))
    except UntrustedDirectoryError as problem:
        if not trusted:
            raise _refusal(
                settings, str(problem.strerror), f"{problem.remedy}, or set trust_directory"
            ) from None
        structlog.get_logger().warning(
            "directory_not_trusted", mirror=settings.text, reason=problem.strerror
        )
    except NotADirectoryError:
        if not os.path.lexists(settings.target):
            raise _no_files(settings, "Not a directory") from None
        link = " but a symbolic link" if Path(settings.target).is_symlink() else ""
        raise _refusal(
            settings,
            f"the path exists and is not a directory{link}",
            "expected a directory for the files, new or not",
        ) from None
    except (OSError, ValueError) as problem:  # ValueError: the name has no form on this disk
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise _no_files(settings, why) from None
    _try_out(settings)


def _create(path: str, *, trusted: bool) -> None:
    parent = open_parent(path, trusted=trusted)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(split(path)[1], 0o700, dir_fd=parent)  # traffic is nobody else's to read
    finally:
        os.close(parent)


def _try_out(settings: MirrorSettings) -> None:
    """Create a file: permission bits tell too little, since root passes them, and disks do not."""
    try:
        with tempfile.TemporaryFile(dir=settings.target):
            pass
    except OSError as problem:
        raise _no_files(settings, problem.strerror) from None


def _refusal(settings: MirrorSettings, why: str, remedy: str) -> UsageProblem:
    return UsageProblem(f"mirror {quote(settings.text)}: {why}", remedy)


def _no_files(settings: MirrorSettings, why: object) -> UsageProblem:
    return _refusal(
        settings,
        f"cannot create files there: {why}",
        "expected a writable directory, or a new one in a writable directory that exists",
    )
