"""A process that has run out of descriptors, for as long as a test wants."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.descriptors import open_descriptors


@contextmanager
def descriptors_used_up(*, spare: int = 0) -> Iterator[None]:
    """Within the block only so many more descriptors can be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(open_descriptors()) + 2 + spare, hard))
    try:
        with suppress(OSError):  # EMFILE
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(spare):
            os.close(taken.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken:
            os.close(fd)
