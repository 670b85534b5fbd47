"""Both ends of a ring in one process."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tools.companions.ring.ends import Reader, Writer
from tools.companions.ring.ring import Wake, created
from tools.companions.ring.ways import pidfd

WAKES: tuple[Wake, ...] = ("eventfd", "poll") if platform.machine() == "x86_64" else ("eventfd",)
each_wake = pytest.mark.parametrize("wake", WAKES)


@contextmanager
def both_ends(capacity_bytes: int, wake: Wake) -> Iterator[tuple[Writer, Reader]]:
    with (
        pidfd(os.getpid()) as own_fd,
        created(capacity_bytes, wake) as ring,
        ring.reader(own_fd) as reader,
        ring.writer(own_fd) as writer,
    ):
        yield writer, reader


def take(reader: Reader, count: int) -> bytes:
    buffer = bytearray(count)
    return bytes(buffer[: reader.take_into(memoryview(buffer))])
