"""Pipes, and the check that no test leaves a descriptor open."""

import os
from collections.abc import Iterator

import pytest


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are all that is wanted


@pytest.fixture(autouse=True)
def no_descriptor_is_left_open() -> Iterator[None]:
    before = open_descriptors()
    yield
    assert open_descriptors() <= before


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose reading end does not wait; the test may close either end."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    identities = {fd: os.fstat(fd) for fd in (reader, writer)}
    yield reader, writer
    for fd, identity in identities.items():
        try:
            same = os.path.samestat(os.fstat(fd), identity)
        except OSError:
            continue
        if same:
            os.close(fd)
