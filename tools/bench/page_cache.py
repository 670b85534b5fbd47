"""Memory for what is about to be written: a file of that size is written and removed.

A virtual machine may give freed memory back to its host within seconds (free page reporting), and
the first write to a page that has to be fetched again is paid by whoever makes it: on one machine
1 GB into a file took 0.15 s of CPU right after another one was removed, and 2 s a while later.
"""

import tempfile
from pathlib import Path

BLOCK_BYTES = 1 << 20


def warm(directory: Path, size_bytes: int) -> None:
    """Leave free memory that the host has backed, enough for a file of this size."""
    block = bytes(BLOCK_BYTES)
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _number in range(-(-size_bytes // BLOCK_BYTES)):
            file.write(block)
