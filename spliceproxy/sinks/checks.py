"""What can be known of a mirror before the first connection: whether its place can be used.

A peer need not be there yet, since a mirror connects when there is something to copy.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from spliceproxy.errors import UsageProblem, quote
from spliceproxy.settings.mirror import MirrorSettings


def check_mirrors(mirrors: Iterable[MirrorSettings]) -> None:
    """Create the directories that are missing, and refuse mirrors that could never work.

    Raises:
        UsageProblem: a directory cannot be written into, or is another mirror's already; a
            program cannot be executed.
    """
    seen: set[tuple[int, int]] = set()
    for mirror in mirrors:
        if mirror.kind == "file":
            _check_directory(mirror)
            found = Path(mirror.target).stat()
            if (found.st_dev, found.st_ino) in seen:  # they would write the same file names
                raise UsageProblem(
                    f"mirror {quote(mirror.text)}: another file mirror has the same directory",
                    "expected a directory for each",
                )
            seen.add((found.st_dev, found.st_ino))
        elif mirror.kind == "exec":
            _check_program(mirror)


def _check_directory(mirror: MirrorSettings) -> None:
    directory = Path(mirror.target)
    try:
        directory.mkdir(mode=0o700, exist_ok=True)  # traffic is nobody else's to read
        # Permission bits tell too little: root passes them, and a read-only disk has them too.
        with tempfile.TemporaryFile(dir=directory):
            pass
    except FileExistsError:
        raise UsageProblem(
            f"mirror {quote(mirror.text)}: the path exists and is not a directory",
            "expected a directory for the files, new or not",
        ) from None
    except (OSError, ValueError) as problem:  # ValueError: the name has no form on this disk
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise UsageProblem(
            f"mirror {quote(mirror.text)}: cannot create files there: {why}",
            "expected a writable directory, or a new one in a writable directory that exists",
        ) from None


def _check_program(mirror: MirrorSettings) -> None:
    program = mirror.command[0]
    if shutil.which(program) is not None:
        return
    if os.sep not in program:
        what, remedy = "is not in PATH", "install it, or write the path of the program"
    elif Path(program).is_file():
        what, remedy = "is not executable", "allow it with chmod +x"
    else:
        what, remedy = "is not a file that exists", "expected the path of a program"
    raise UsageProblem(f"mirror {quote(mirror.text)}: program {quote(program)} {what}", remedy)
