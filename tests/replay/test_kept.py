"""What a replay keeps: a checkpoint, a report, a capture of its own."""

import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest
import trio

import spliceproxy.capture
from spliceproxy.capture import ConnectionId, Data
from spliceproxy.errors import UsageProblem
from spliceproxy.replay.checkpoint import Checkpoint
from spliceproxy.replay.replay_options import Pace
from tests.capture.recorded import Recorded
from tests.proxy.payload import random_bytes
from tests.replay.recordings import connections, replayed, talk
from tests.replay.target import Met, read_all, reset, target_of


async def test_a_replay_goes_on_where_a_signal_has_ended_it(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    sent = [talk(recorded, number, [b"piece %d" % number], number) for number in range(3)]
    talk(recorded, 3, [b"last"], 600_000)
    recorded.seal()
    kept = {"checkpoint": tmp_path / "checkpoint", "report": tmp_path / "report.sqlite"}
    async with target_of() as target, trio.open_nursery() as nursery:

        async def interrupt() -> None:
            while settled(kept["checkpoint"]) != [[0, 2]]:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        nursery.start_soon(interrupt)
        first = await replayed(tmp_path, target.address, Pace.TIMED, **kept)
    assert first.summary["interrupted"] is True
    assert not first.is_complete
    assert sorted(target.requests) == sorted(sent)
    assert connections(first)["replayed"] == 3
    assert connections(first)["interrupted"] == 1
    async with target_of() as target:
        second = await replayed(tmp_path, target.address, Pace.TIMED, **kept)
    assert target.requests == [b"last"]
    assert connections(second)["done_before"] == 3
    assert second.is_complete
    results = rows(kept["report"], "SELECT run, result, count(*) FROM connections GROUP BY 1, 2")
    assert sorted(results) == [(1, "interrupted", 1), (1, "replayed", 3), (2, "replayed", 1)]
    async with target_of() as target:
        third = await replayed(tmp_path, target.address, Pace.TIMED, **kept)
    assert target.met == []
    assert third.is_complete


async def test_what_has_failed_is_tried_again(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [b"good"])
    talk(recorded, 2, [b"bad"])
    recorded.seal()
    kept = {"checkpoint": tmp_path / "checkpoint", "report": tmp_path / "report"}

    async def pick(stream: trio.SocketStream, met: Met) -> None:
        met.data += await stream.receive_some()
        if met.data == b"bad":
            reset(stream)
        else:
            await stream.send_all(met.data)
            await read_all(stream, met)

    async with target_of(pick) as target:
        first = await replayed(tmp_path, target.address, Pace.ANSWERS, **kept)
        again = await replayed(tmp_path, target.address, Pace.ANSWERS, **kept)
    assert connections(first)["failed"] == connections(again)["failed"] == {"reset": 1}
    assert connections(again)["done_before"] == 1
    assert [bytes(met.data) for met in target.met].count(b"bad") == 2
    told = rows(kept["report"], "SELECT id, reason, sent_bytes FROM connections WHERE run = 2")
    assert told == [(str(ConnectionId(1, 2)), "reset", 3)]
    [(summary,), _] = rows(kept["report"], "SELECT summary FROM runs ORDER BY run")
    assert json.loads(str(summary)) == first.summary


async def test_a_checkpoint_is_for_one_replay(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [b"x"])
    recorded.seal()
    path = tmp_path / "checkpoint"
    async with target_of() as target:
        await replayed(tmp_path, target.address, Pace.MAX, checkpoint=path)
        with pytest.raises(UsageProblem, match="other filters or copies"):
            await replayed(tmp_path, target.address, Pace.MAX, checkpoint=path, copies=2)


def settled(path: Path) -> list[list[int]]:
    """What a checkpoint has of writer 1; it is there as a whole or not at all."""
    if not path.exists():
        return []
    numbers: list[list[int]] = json.loads(path.read_text())["settled"].get(f"{1:016x}", [])
    return numbers


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    file = sqlite3.connect(path)
    try:
        return file.execute(query).fetchall()
    finally:
        file.close()


def test_numbers_are_kept_as_ranges(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    checkpoint = Checkpoint(path, "all")
    numbers = [5, 1, 3, 2, 9, 4, 4, 11, 10]
    for number in numbers:
        checkpoint.settle(ConnectionId(7, number))
    checkpoint.write()
    assert list(tmp_path.iterdir()) == [path]
    assert json.loads(path.read_text())["settled"] == {f"{7:016x}": [[1, 5], [9, 11]]}
    again = Checkpoint(path, "all")
    assert [n for n in range(20) if ConnectionId(7, n) in again] == sorted(set(numbers))
    assert ConnectionId(8, 5) not in again


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"replay": "all", "settled": {"x": [[1, 2]]}}'])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "checkpoint"
    path.write_text(text)
    with pytest.raises(UsageProblem, match="no checkpoint"):
        Checkpoint(path, "all")


async def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [b"x"])
    path = recorded.seal()
    async with target_of() as target:
        with pytest.raises(UsageProblem, match="not a database"):
            await replayed(tmp_path, target.address, Pace.MAX, report=path)


async def test_what_is_replayed_is_recorded_as_it_was(tmp_path: Path) -> None:
    source, kept = tmp_path / "source", tmp_path / "kept"
    source.mkdir()
    recorded = Recorded(source)
    pieces = [random_bytes(size, size) for size in (10, 400_000, 3)]
    for number in range(3):
        talk(recorded, number, pieces[number:], number * 5, client=f"192.0.2.{number}:7")
    recorded.open(9, 20, client="192.0.2.9:7")
    recorded.data(9, b"broken", 21)
    recorded.data(9, b"broken", 22, direction="response")
    recorded.end(9, 6, 23, is_reset=True)
    recorded.close(9, 24)
    recorded.seal()
    async with target_of() as target:
        end = await replayed(source, target.address, Pace.ANSWERS, record=kept)
    assert end.is_complete
    original, copied = by_client(source), by_client(kept)
    assert {client: found[2:] for client, found in copied.items()} == {
        client: found[2:] for client, found in original.items()
    }
    for client, (id_, _, *_) in original.items():
        assert copied[client][1]["replay_of"] == id_
        assert copied[client][1]["backend"] == str(target.address)
    [segment] = kept.iterdir()
    assert segment.name.endswith(".capture")


def by_client(directory: Path) -> dict[object, tuple[str, dict[str, object], bytes, bytes, str]]:
    capture = spliceproxy.capture.open(directory)
    found: dict[object, tuple[str, dict[str, object], bytes, bytes, str]] = {}
    for connection in capture.connections():
        assert connection.is_whole
        streams = {"request": b"", "response": b""}
        for event in connection.events():
            if isinstance(event, Data):
                assert event.offset == len(streams[event.direction])
                streams[event.direction] += event.data
        streams_and_end = (streams["request"], streams["response"], connection.ends["request"])
        client = connection.facts["client"]
        found[client] = (str(connection.id), connection.facts, *streams_and_end)
    assert capture.unreadable == []
    return found


async def test_recording_into_what_is_replayed_is_refused(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    talk(recorded, 1, [b"x"])
    recorded.seal()
    async with target_of() as target:
        with pytest.raises(UsageProblem, match="record into another directory"):
            await replayed(tmp_path, target.address, Pace.MAX, record=tmp_path)
