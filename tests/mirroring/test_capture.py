"""`capture:` mirrors under traffic: what their segments tell, and what they do when they can't."""

import errno
import gc
import shutil
import threading
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from spliceproxy.capture.reader import open as open_capture
from spliceproxy.capture.segment import Segment
from spliceproxy.formats.capture.decode import decode_text
from spliceproxy.formats.capture.layout import Flag, Record, RecordKind
from spliceproxy.sinks import capture_segment, disk
from spliceproxy.sinks.capture_batch import Batch
from spliceproxy.sinks.capture_outlet import CaptureOutlet
from spliceproxy.sinks.capture_segment import SegmentFile
from tests.mirroring.attaching import ROOM, attach, live, nothing_is_left
from tests.mirroring.mirrored import mirrored
from tests.mirroring.test_full_disk import DISK_BYTES, small_disk
from tests.proxy.judge import exchange
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.relay import Mode, eventually, relay, three_modes
from tests.sinks.places import captured

__all__ = ["small_disk"]

DATA = random_bytes(3_000_000)


def told(record: Record) -> tuple[str, str, int, bytes]:
    kind = RecordKind(record.kind)
    payload = b"" if kind in (RecordKind.OPEN, RecordKind.CLOSE, RecordKind.GAP) else record.payload
    return kind.name, record.direction, record.offset, payload


def stream_of(records: list[Record], direction: str) -> bytes:
    """The bytes of a direction; what is missing is zeros."""
    data = bytearray()
    for record in records:
        if record.kind == RecordKind.DATA and record.direction == direction:
            data += bytes(record.offset - len(data)) + record.payload
    return bytes(data)


def segments_in(directory: Path, suffix: str) -> list[Path]:
    return sorted(directory.glob(f"*{suffix}"))


@three_modes
@pytest.mark.parametrize("overflow", ["detach", "gap", "block"])
async def test_the_dialogue_is_in_order_and_each_piece_has_its_time(
    mode: Mode, overflow: str, tmp_path: Path
) -> None:
    with trio.fail_after(30):
        text = f"capture:{tmp_path}?overflow={overflow}"
        async with mirrored(text, mode=mode) as proxied:
            connection = await proxied.connect()
            for turn in range(3):
                await connection.client.send(b"question %d" % turn)
                await connection.backend.receive_exactly(10)
                await connection.backend.send(b"answer %d" % turn)
                await connection.client.receive_exactly(8)
                await trio.sleep(0.01)
            connection.client.finish()
            assert await connection.backend.receive_rest() == (b"", "eof")
            connection.backend.finish()
            line = await proxied.line()
            assert line["mirrors"][0]["state"] == "complete"
    records = captured(tmp_path)
    talk = [
        entry
        for turn in range(3)
        for entry in (
            ("DATA", "request", turn * 10, b"question %d" % turn),
            ("DATA", "response", turn * 8, b"answer %d" % turn),
        )
    ]
    ends = [("END", "request", 30, b""), ("END", "response", 24, b"")]
    expected = [("OPEN", "request", 0, b""), *talk, *ends, ("CLOSE", "request", 0, b"")]
    assert [told(record) for record in records[:-2]] == expected
    assert [record.kind for record in records[-2:]] == [RecordKind.INDEX, RecordKind.TRAILER]
    times = [record.time_ns for record in records[:-2]]
    assert times == sorted(times)
    questions = times[1:7:2]
    assert all(later - earlier >= 10_000_000 for earlier, later in pairwise(questions))
    facts = decode_text(records[0].payload)
    assert (facts["route"], facts["client"]) == ("default", line["client"])
    assert (facts["backend"], facts["listener"]) == (line["backend"], line["listener"])
    closed = decode_text(records[-3].payload)
    assert (closed["reason"], closed["request_bytes"]) == ("closed", 30)


async def test_connections_that_are_over_are_forgotten_while_others_go_on(tmp_path: Path) -> None:
    """In each batch one ends wholly, and the next one halfway."""

    def count_streams() -> int:
        gc.collect()
        return sum(isinstance(thing, CaptureOutlet) for thing in gc.get_objects())

    with trio.fail_after(30):
        before = count_streams()
        async with mirrored(f"capture:{tmp_path}") as proxied:
            connection = await proxied.connect()
            connection.client.finish()
            for number in range(1, 13):
                after = await proxied.connect()
                after.client.finish()
                connection.backend.finish()
                await proxied.line(number)
                connection = after
            assert count_streams() - before <= 8  # of 26


@three_modes
async def test_large_streams_both_ways(mode: Mode, tmp_path: Path) -> None:
    with trio.fail_after(30):
        text = f"capture:{tmp_path}?overflow=block&segment_bytes=1MiB"
        async with mirrored(text, mode=mode) as proxied:
            connection = await proxied.connect()
            outcomes = await exchange(connection, DATA, DATA[::-1], seed=1, largest=300_000)
            assert [outcome.received for outcome in outcomes] == [DATA, DATA[::-1]]
            await proxied.line()
    records = captured(tmp_path)
    assert_same(stream_of(records, "request"), DATA)
    assert_same(stream_of(records, "response"), DATA[::-1])
    opened = [record for record in records if record.kind == RecordKind.OPEN]
    paths = segments_in(tmp_path, ".capture")
    assert len(opened) == len(paths) >= 4
    assert [record.flags & Flag.CONTINUED for record in opened] == [0] + [2] * (len(paths) - 1)
    assert len({record.connection for record in opened}) == 1
    assert not segments_in(tmp_path, ".open")
    for number, path in enumerate(paths):
        segment = Segment(path)
        assert segment.header.segment == number
        entries = segment.index()
        assert entries is not None
        [entry] = entries
        read = list(segment.records(entry.first_block, entry.end))
        assert segment.damage is None
        assert read == [
            r for r in segment.records() if r.kind not in (RecordKind.INDEX, RecordKind.TRAILER)
        ]
        segment.close()


async def test_a_segment_that_has_aged_is_sealed(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with mirrored(f"capture:{tmp_path}?segment_age=1s") as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"before")
            await eventually(lambda: len(segments_in(tmp_path, ".capture")) == 1)
            assert not segments_in(tmp_path, ".open")
            await connection.client.send(b"after")
            connection.client.finish()
            connection.backend.finish()
            await proxied.line()
    assert stream_of(captured(tmp_path), "request") == b"beforeafter"
    assert len(segments_in(tmp_path, ".capture")) == 2


@three_modes
async def test_a_reset_is_told_apart_from_an_end(mode: Mode, tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with mirrored(f"capture:{tmp_path}", mode=mode) as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"so far")
            await connection.backend.receive_exactly(6)
            connection.client.reset()
            assert (await proxied.line())["reason"] == "client_reset"
    kinds = [told(record)[:3] for record in captured(tmp_path)]
    assert ("RESET", "request", 6) in kinds
    assert ("RESET", "response", 0) in kinds
    assert not [kind for kind in kinds if kind[0] == "END"]


async def test_a_limit_of_bytes_shows(tmp_path: Path) -> None:
    with trio.fail_after(30):
        text = f"capture:{tmp_path}?max_bytes=4B&direction=request"
        async with mirrored(text) as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"question")
            connection.client.finish()
            connection.backend.finish()
            await proxied.line()
    records = captured(tmp_path)
    assert stream_of(records, "request") == b"ques"
    [gap] = [record for record in records if record.kind == RecordKind.GAP]
    assert decode_text(gap.payload) == {"bytes": None, "reason": "max_bytes"}


@three_modes
async def test_a_full_disk_leaves_a_gap_and_all_else_can_be_read(
    mode: Mode, small_disk: Path
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(DISK_BYTES - (300 << 10)))
    parts = [DATA[:100_000], DATA[100_000:900_000], DATA[900_000:1_200_000]]
    with trio.fail_after(30):
        text = f"capture:{small_disk}?direction=request&overflow=gap"
        async with mirrored(text, mode=mode) as proxied:
            connection = await proxied.connect()
            for number, part in enumerate(parts):
                await connection.client.send(part)
                assert_same(await connection.backend.receive_exactly(len(part)), part)
                await eventually(lambda: proxied.mirrors.budget.used_bytes == 0)
                if number == 1:
                    filler.unlink()
            connection.client.finish()
            connection.backend.finish()
            account = await proxied.account()
            assert (await proxied.line())["reason"] == "closed"
    filler.unlink(missing_ok=True)
    assert account["reason"] == "file_enospc"
    records = captured(small_disk)
    sent, copy = b"".join(parts), stream_of(records, "request")
    gaps = [
        (record.offset, decode_text(record.payload)["bytes"])
        for record in records
        if record.kind == RecordKind.GAP
    ]
    assert sum(int(str(length)) for _, length in gaps) == account["dropped_bytes"] > 0
    expected = bytearray(sent)
    for offset, length in gaps:
        expected[offset : offset + int(str(length))] = bytes(int(str(length)))
    assert_same(copy, bytes(expected))


async def test_a_gap_that_is_lost_with_its_block_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SegmentFile.write
    full = threading.Event()

    def write(self: SegmentFile, batch: Batch) -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, "full")
        real(self, batch)

    monkeypatch.setattr(SegmentFile, "write", write)
    with trio.fail_after(30):
        text = f"capture:{tmp_path}?direction=request&overflow=gap"
        async with mirrored(text) as proxied:
            connection = await proxied.connect()
            for data in (b"a", b"bb", b"ccc", b"d"):
                (full.set if len(data) > 1 else full.clear)()
                await connection.client.send(data)
                assert await connection.backend.receive_exactly(len(data)) == data
                await eventually(lambda: proxied.mirrors.budget.used_bytes == 0)
            connection.client.finish()
            connection.backend.finish()
            assert (await proxied.account())["dropped_bytes"] == 5
    records = captured(tmp_path)
    [gap] = [record for record in records if record.kind == RecordKind.GAP]
    assert (gap.offset, decode_text(gap.payload)["bytes"]) == (1, 5)
    assert stream_of(records, "request") == b"a" + bytes(5) + b"d"


@three_modes
async def test_detach_ends_the_copy_and_not_the_traffic(mode: Mode, small_disk: Path) -> None:
    with trio.fail_after(30):
        text = f"capture:{small_disk}?direction=request"
        async with mirrored(text, mode=mode) as proxied:
            connection = await proxied.connect()
            request, response = await exchange(connection, DATA, DATA, seed=1, largest=200_000)
            account = await proxied.account()
            assert (await proxied.line())["reason"] == "closed"
    assert_same(request.received, DATA)
    assert_same(response.received, DATA)
    assert account["reason"] == "file_enospc"
    copy = stream_of(captured(small_disk), "request")
    assert_same(copy, DATA[: len(copy)])
    assert len(copy) == account["delivered_bytes"]


@three_modes
async def test_block_lets_nothing_pass_that_is_not_recorded(mode: Mode, small_disk: Path) -> None:
    with trio.fail_after(30):
        text = f"capture:{small_disk}?direction=request&overflow=block&buffer=64KiB"
        async with mirrored(text, mode=mode) as proxied:
            connection = await proxied.connect()
            request, _ = await exchange(connection, DATA, b"", seed=1, largest=20_000)
            assert (await proxied.line())["reason"] == "mirror_failed"
    assert len(request.received) < DISK_BYTES + (1 << 20)


async def test_what_is_attached_begins_in_mid_stream(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with relay(**ROOM) as it:
            connection = await it.connect()
            await connection.client.send(b"before")
            await connection.backend.receive_exactly(6)
            assert attach(it, session=live(it), to=f"capture:{tmp_path}", connection="0-1")
            await connection.client.send(b"after")
            await connection.backend.receive_exactly(5)
            assert it.worker.attachments.detach(1)
            await eventually(lambda: nothing_is_left(it))
            connection.client.finish()
            connection.backend.finish()
            await it.line()
    records = captured(tmp_path)
    kinds = [told(record) for record in records if record.kind <= RecordKind.CLOSE]
    assert [kind[0] for kind in kinds] == ["OPEN", "DATA", "CLOSE"]  # no end: it went on
    assert kinds[1] == ("DATA", "request", 6, b"after")
    assert decode_text(records[0].payload)["begins_at"] == {"request": 6, "response": 0}
    closed = decode_text(records[2].payload)
    assert closed["attached_at"] == {"request": 6, "response": 0}


async def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    directory = tmp_path / "capture"
    with trio.fail_after(30):
        async with mirrored(f"capture:{directory}") as proxied:
            shutil.rmtree(directory)
            connection = await proxied.connect()
            outcomes = await exchange(connection, b"question", b"answer", seed=1)
            assert [outcome.received for outcome in outcomes] == [b"question", b"answer"]
            assert (await proxied.account(direction="request"))["reason"] == "file_enoent"
            await eventually(lambda: len(proxied.events("record_not_written")) == 1)


async def test_a_disk_that_hangs_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    real = SegmentFile.write

    def write(self: SegmentFile, batch: Batch) -> None:
        goes_on.wait()
        real(self, batch)

    monkeypatch.setattr(SegmentFile, "write", write)
    monkeypatch.setattr(disk, "_EXIT_S", 0.2)
    with trio.fail_after(30):
        async with mirrored(f"capture:{tmp_path}") as proxied:
            for _ in range(5):
                connection = await proxied.connect()
                outcomes = await exchange(connection, DATA, b"answer", seed=1)
                assert [outcome.received for outcome in outcomes] == [DATA, b"answer"]
            goes_on.set()
    assert len([record for record in captured(tmp_path) if record.kind == RecordKind.CLOSE]) == 5


@pytest.mark.parametrize("overflow", ["gap", "detach"])
async def test_what_is_lost_at_the_end_is_told_as_a_gap(
    overflow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SegmentFile.write
    full = threading.Event()

    def write(self: SegmentFile, batch: Batch) -> None:
        if full.is_set():
            full.clear()
            raise OSError(errno.ENOSPC, "full")
        real(self, batch)

    monkeypatch.setattr(SegmentFile, "write", write)
    with trio.fail_after(30):
        text = f"capture:{tmp_path}?direction=request&overflow={overflow}"
        async with mirrored(text) as proxied:
            connection = await proxied.connect()
            for data in (b"a", b"bb"):
                (full.set if len(data) > 1 else full.clear)()
                await connection.client.send(data)
                assert await connection.backend.receive_exactly(len(data)) == data
                if len(data) == 1 or overflow == "detach":
                    await eventually(lambda: proxied.mirrors.budget.used_bytes == 0)
            if overflow == "detach":  # what comes after the end of the copy is missing, too
                await connection.client.send(b"ccc")
                assert await connection.backend.receive_exactly(3) == b"ccc"
            connection.client.finish()
            connection.backend.finish()
            dropped = (await proxied.account())["dropped_bytes"]
    assert dropped == (5 if overflow == "detach" else 2)
    [copied] = open_capture(tmp_path).connections()
    assert (copied.missing_bytes, copied.is_whole) == (dropped, False)


async def test_a_disk_that_hangs_does_not_hold_up_whoever_is_left_by_a_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SegmentFile.seal
    is_sealing, goes_on = threading.Event(), threading.Event()
    in_time: list[bool] = []

    def seal(self: SegmentFile, index: bytes) -> None:
        is_sealing.set()
        in_time.append(goes_on.wait(3))
        real(self, index)

    monkeypatch.setattr(SegmentFile, "seal", seal)
    with trio.fail_after(30):
        async with relay(**ROOM) as it:
            connection = await it.connect()
            assert attach(it, session=live(it), to=f"capture:{tmp_path}", connection="0-1")
            await connection.client.send(b"copied")
            await connection.backend.receive_exactly(6)
            assert it.worker.attachments.detach(1)
            await eventually(is_sealing.is_set)
            await connection.client.send(b"alone")
            await connection.backend.receive_exactly(5)
            goes_on.set()
            await eventually(lambda: nothing_is_left(it))
            connection.client.finish()
            connection.backend.finish()
            await it.line()
    assert in_time[0]
    assert segments_in(tmp_path, ".capture")


async def test_an_end_that_is_lost_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last block is lost, and the disk takes the connection's last record after that."""
    real = SegmentFile.write
    lost: list[Batch] = []

    def write(self: SegmentFile, batch: Batch) -> None:
        if not lost and full.is_set():
            lost.append(batch)
            raise OSError(errno.ENOSPC, "full")
        real(self, batch)

    full = threading.Event()
    monkeypatch.setattr(SegmentFile, "write", write)
    with trio.fail_after(30):
        async with mirrored(f"capture:{tmp_path}?overflow=gap") as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"question")
            assert await connection.backend.receive_exactly(8) == b"question"
            await eventually(lambda: proxied.mirrors.budget.used_bytes == 0)
            full.set()
            connection.client.finish()
            assert await connection.backend.receive_rest() == (b"", "eof")
            await eventually(lambda: bool(lost))
            connection.backend.finish()
            await proxied.line()
    ends = [told(record)[:3] for record in captured(tmp_path) if record.kind == RecordKind.END]
    assert ends == [("END", "response", 0), ("END", "request", 8)]
    [found] = open_capture(tmp_path).connections()
    assert found.is_whole


async def test_streams_that_were_too_many_are_gaps(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with mirrored(f"capture:{tmp_path}", max_connections=1) as proxied:
            limit, most = proxied.mirrors.streams, proxied.mirrors.streams.most
            for left in (1, 0):  # of both directions, the one that comes second, then both
                limit.most = limit.taken + left
                connection = await proxied.connect()
                outcomes = await exchange(connection, b"question", b"answer", seed=1)
                assert [outcome.received for outcome in outcomes] == [b"question", b"answer"]
                await proxied.line(2 - left)
            limit.most = most
    first, second = open_capture(tmp_path).connections()
    assert (first.request_bytes, first.response_bytes, first.missing_bytes) == (8, 0, 6)
    assert (second.request_bytes, second.response_bytes, second.missing_bytes) == (0, 0, 14)
    assert (first.gaps, second.gaps, first.is_whole, second.is_whole) == (1, 2, False, False)
    assert second.facts["route"] == "default"
    assert str(second.facts["client"]).startswith("127.0.0.1:")
    gaps = [record for record in captured(tmp_path) if record.kind == RecordKind.GAP]
    assert {decode_text(record.payload)["reason"] for record in gaps} == {"too_many_streams"}


async def test_a_segment_that_is_removed_while_it_is_written_is_a_failure(tmp_path: Path) -> None:
    directory = tmp_path / "capture"
    with trio.fail_after(30):
        async with mirrored(f"capture:{directory}?overflow=gap&direction=request") as proxied:
            connection = await proxied.connect()
            for data in (b"first", b"second", b"third"):
                await connection.client.send(data)
                assert await connection.backend.receive_exactly(len(data)) == data
                await eventually(lambda: proxied.mirrors.budget.used_bytes == 0)
                if data == b"first":
                    shutil.rmtree(directory)
                else:
                    directory.mkdir(mode=0o700, exist_ok=True)
            connection.client.finish()
            connection.backend.finish()
            account = await proxied.account()
            assert (account["reason"], account["dropped_bytes"]) == ("file_removed", 6)
            await eventually(lambda: bool(proxied.events("segment_not_sealed")))
    [found] = open_capture(directory).connections()
    # What came before had been written, and has gone with the directory.
    assert (found.request_bytes, found.missing_bytes, found.is_whole) == (5, 6, False)


async def test_an_index_that_finds_no_room_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = capture_segment._write

    def write(fd: int, data: bytes | memoryview) -> None:
        if data[4] == RecordKind.INDEX:
            real(fd, data[:50])
            raise OSError(errno.ENOSPC, "No space left on device")
        real(fd, data)

    monkeypatch.setattr(capture_segment, "_write", write)
    with trio.fail_after(30):
        async with mirrored(f"capture:{tmp_path}") as proxied:
            connection = await proxied.connect()
            await exchange(connection, b"question", b"answer", seed=1)
            await proxied.line()
        [line] = proxied.events("segment_without_index")
        assert (line["reason"], line["log_level"]) == ("file_enospc", "warning")
        assert proxied.events("segment_not_sealed") == []
    [found] = open_capture(tmp_path).connections()
    assert found.is_whole
