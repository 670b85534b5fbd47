"""Where the losses are told to be, whatever the order in which they were found."""

import threading
from pathlib import Path

import pytest
import trio

from spliceproxy.sinks.account import Gap
from spliceproxy.sinks.file_outlet import FileOutlet
from tests.proxy.relay import eventually
from tests.sinks.rig import rig

PART_BYTES = 300_000


async def test_losses_that_are_found_out_of_order_are_one_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the thread's hands, in the queue, and offered after that: each is lost at its time."""
    goes_on = threading.Event()
    real = FileOutlet._rename

    def rename(self: FileOutlet) -> None:
        goes_on.wait(10)
        real(self)

    monkeypatch.setattr(FileOutlet, "_rename", rename)
    directory = tmp_path / "audit"
    with trio.fail_after(20):
        async with rig(f"file:{directory}") as mirrored:
            mirrored.offer(bytes(PART_BYTES))  # the directory does not exist
            mirrored.offer(bytes(PART_BYTES))
            await eventually(lambda: not mirrored.branch.open)
            mirrored.offer(bytes(PART_BYTES))
            goes_on.set()
            mirrored.end()
            await mirrored.over()
            assert mirrored.branch.gaps == [Gap(0, 3 * PART_BYTES)]
