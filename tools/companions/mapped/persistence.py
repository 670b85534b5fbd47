"""What is left of bytes in a map when their process is killed (SIGKILL).

Started as `python -m tools.companions.mapped.persistence PATH KIND SYNC`, this is who is killed.
"""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

Kind = Literal["shared", "private"]

REPOSITORY = Path(__file__).resolve().parents[3]
CONTENT = b"written through a map"
_SYNCED = "msync"


def outlives_a_kill(path: Path, kind: Kind, *, is_synced: bool) -> bool:
    """Have a process write through a map of a file and be killed; whether the file has the bytes.

    The pages of a shared map are the page cache's, and stay when a process goes. What msync(2) adds
    is the disk: it matters where the machine fails, not where the process does.

    Raises:
        OSError: the file cannot be read.
        subprocess.CalledProcessError: the process ended in another way.
    """
    sync = _SYNCED if is_synced else "none"
    argv = [sys.executable, "-m", "tools.companions.mapped.persistence", str(path), kind, sync]
    status = subprocess.run(argv, check=False, cwd=REPOSITORY).returncode
    if status != -signal.SIGKILL:
        raise subprocess.CalledProcessError(status, argv)
    return path.read_bytes()[: len(CONTENT)] == CONTENT


def _write_and_die(path: str, kind: str, sync: str) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    flags = mmap.MAP_SHARED if kind == "shared" else mmap.MAP_PRIVATE
    mapping = mmap.mmap(fd, len(CONTENT), flags)
    mapping[:] = CONTENT
    if sync == _SYNCED:
        mapping.flush()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _write_and_die(*sys.argv[1:])
