"""What a capture has of a time in which its disk stood still."""

import threading
from pathlib import Path

import pytest
import trio

from spliceproxy.formats.capture.layout import MOST_BLOCK_BYTES, MOST_BLOCK_RECORDS
from spliceproxy.sinks.capture_batch import Batch
from spliceproxy.sinks.capture_segment import SegmentFile
from tests.sinks.places import CapturePlace
from tests.sinks.rig import rig

PIECE = bytes(range(256)) * 1024


async def test_however_much_has_come_a_reader_takes_its_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SegmentFile.write
    goes_on = threading.Event()

    def write(self: SegmentFile, batch: Batch) -> None:
        goes_on.wait()
        real(self, batch)

    monkeypatch.setattr(SegmentFile, "write", write)
    place = CapturePlace(tmp_path)
    count = MOST_BLOCK_BYTES // len(PIECE) + 8
    with trio.fail_after(60):
        async with rig(f"{place.text}?direction=request", mode="bytes") as it:
            for _ in range(count):
                it.offer(PIECE)
            goes_on.set()
            it.end()
            await it.over()
            assert it.tapped.report()[0]["state"] == "complete"
    assert place.stream() == PIECE * count


async def test_so_are_its_blocks_of_nothing_but_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest pieces that can be: a reader counts records, too."""
    real = SegmentFile.write
    goes_on = threading.Event()

    def write(self: SegmentFile, batch: Batch) -> None:
        goes_on.wait()
        real(self, batch)

    monkeypatch.setattr(SegmentFile, "write", write)
    place = CapturePlace(tmp_path)
    count = MOST_BLOCK_RECORDS + 10
    with trio.fail_after(60):
        async with rig(f"{place.text}?direction=request", mode="bytes") as it:
            for _ in range(count):
                it.offer(b"x")
            goes_on.set()
            it.end()
            await it.over()
    assert place.stream() == b"x" * count
