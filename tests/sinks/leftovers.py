"""Threads and processes that a test may have left behind."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

_PATIENCE_S = 10.0


def child_processes() -> set[int]:
    """Processes that this one has started and not reaped."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def disk_threads() -> list[str]:
    """Threads that write for mirrors; others belong to the test's own tools."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("disk")]


@pytest.fixture(autouse=True)
def no_thread_and_no_process_is_left() -> Iterator[None]:
    before = child_processes()
    yield
    deadline_s = time.monotonic() + _PATIENCE_S
    # A thread that has been told to end is still seen for a moment.
    while (disk_threads() or child_processes() != before) and time.monotonic() < deadline_s:
        time.sleep(0.005)
    assert disk_threads() == []
    assert child_processes() == before
