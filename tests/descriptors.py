"""The descriptors that this process has open, and the check that a test leaves none."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest


def open_descriptors(process: int | str = "self") -> dict[int, str]:
    """What each open descriptor of a process stands for."""
    found = {}
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own, or one just closed
            found[int(entry.name)] = str(entry.readlink())
    return found


@pytest.fixture(autouse=True)
def no_descriptor_is_left_open() -> Iterator[None]:
    before = open_descriptors()
    yield
    assert open_descriptors() == before


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
