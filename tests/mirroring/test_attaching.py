"""Mirrors that are attached to connections while these run."""

import json
from pathlib import Path

import pytest
import trio

from spliceproxy.ipc.rows import MirrorCell
from tests.mirroring.attaching import ROOM, attach, counted, live, nothing_is_left, told
from tests.mirroring.mirrored import mirrored
from tests.mirroring.records import record_in
from tests.proxy.payload import assert_same
from tests.proxy.relay import Connection, Mode, Relay, eventually, relay, three_modes

BEFORE, DURING, AFTER = b"before" * 30_000, b"during" * 50_000, b"after" * 9


async def pass_on(connection: Connection, data: bytes) -> None:
    """From the client to the backend, and an answer of half the size."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.client.send, data)
        assert_same(await connection.backend.receive_exactly(len(data)), data)
    answer = data[: len(data) // 2]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.backend.send, answer)
        assert_same(await connection.client.receive_exactly(len(answer)), answer)


async def end_well(connection: Connection) -> None:
    connection.client.finish()
    connection.backend.finish()
    assert (await connection.client.receive_rest())[1] == "eof"


def copied(directory: Path, direction: str) -> list[bytes]:
    """The copies of each connection, in the order that they began in."""
    return [path.read_bytes() for path in sorted(directory.glob(f"*/*-{direction}*"))]


def only_copy(directory: Path, direction: str) -> bytes:
    [copy] = copied(directory, direction)
    return copy


async def gone(it: Relay) -> None:
    await eventually(lambda: nothing_is_left(it))


@three_modes
async def test_a_live_connection_from_now_on_until_time_is_over(mode: Mode, tmp_path: Path) -> None:
    async with relay(mode=mode, **ROOM) as it:
        connection = await it.connect()
        await pass_on(connection, BEFORE)
        plain = type(live(it).link.request)  # type: ignore[union-attr]
        to = f"file:{tmp_path}"
        assert attach(it, session=live(it), to=to, connection="0-1", duration="300ms")
        await pass_on(connection, DURING)
        await gone(it)
        record = record_in(tmp_path)
        await pass_on(connection, AFTER)
        await pass_on(connection, AFTER)
        link = live(it).link
        assert link is not None
        assert type(link.request) is type(link.response) is plain
        await end_well(connection)
        line = await it.line()
    assert_same(only_copy(tmp_path, "request"), DURING)
    assert_same(only_copy(tmp_path, "response"), DURING[: len(DURING) // 2])
    offsets = {"request": len(BEFORE), "response": len(BEFORE) // 2}
    assert record["attached_at"] == offsets
    assert record["reason"] == "open"
    for account in line["mirrors"]:
        assert account["to"] == f"file:{tmp_path}@1"
        assert account["offset"] == offsets[account["direction"]]
        assert account["state"] == "complete"
    assert [event["reason"] for event in it.events("mirror_detached")] == ["time_over"]
    assert [event["asker"] for event in it.events("mirror_attached")] == ["a test"]


@three_modes
async def test_so_many_bytes(mode: Mode, tmp_path: Path) -> None:
    async with relay(mode=mode, **ROOM) as it:
        connection = await it.connect()
        await pass_on(connection, BEFORE)
        attach(it, session=live(it), to=f"file:{tmp_path}", bytes="100000", connection="0-1")
        await pass_on(connection, DURING)
        await gone(it)
        assert counted(it, f"file:{tmp_path}@1", MirrorCell.DELIVERED_BYTES) == 200_000
        await pass_on(connection, AFTER)
        await end_well(connection)
    for direction in ("request", "response"):
        assert_same(only_copy(tmp_path, direction), DURING[:100_000])


@three_modes
@pytest.mark.parametrize("overflow", ["detach", "block"])
async def test_detaching_harms_no_connection(mode: Mode, overflow: str, tmp_path: Path) -> None:
    async with relay(mode=mode, **ROOM) as it:
        connection = await it.connect()
        attach(it, session=live(it), to=f"file:{tmp_path}?overflow={overflow}", connection="0-1")
        await pass_on(connection, DURING)
        assert it.worker.attachments.detach(1)
        assert not it.worker.attachments.detach(7)
        await pass_on(connection, AFTER)
        await gone(it)
        await end_well(connection)
        line = await it.line()
    assert line["reason"] == "closed"
    assert {account["reason"] for account in line["mirrors"]} == {"stopped_by_operator"}
    assert_same(only_copy(tmp_path, "request"), DURING)


@three_modes
async def test_a_held_source_is_read_on_after_a_detach(mode: Mode, tmp_path: Path) -> None:
    async with relay(mode=mode, **ROOM) as it:
        connection = await it.connect()
        to = "exec:sleep 1000?overflow=block&buffer=100000"
        attach(it, session=live(it), to=to, connection="0-1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.client.send, DURING * 20)
            link = live(it).link
            assert link is not None
            nursery.start_soon(connection.backend.receive_exactly, len(DURING) * 20)
            await eventually(lambda: link.request.held)
            it.worker.attachments.detach(1)
        live(it).mirrors.cut()  # type: ignore[union-attr]
        await gone(it)
        await end_well(connection)
        assert (await it.line())["reason"] == "closed"


@three_modes
async def test_a_mirrored_connection_gets_another_one(mode: Mode, tmp_path: Path) -> None:
    kept, added = tmp_path / "kept", tmp_path / "added"
    kept.mkdir()
    added.mkdir()
    async with mirrored(f"file:{kept}", mode=mode, **ROOM) as it:
        connection = await it.connect()
        await pass_on(connection, BEFORE)
        attach(it, session=live(it), to=f"file:{added}", connection="0-1")
        await pass_on(connection, DURING)
        it.worker.attachments.detach(1)
        await gone(it)
        await pass_on(connection, AFTER)
        await end_well(connection)
        await it.settled()
        line = await it.line()
        assert len(line["mirrors"]) == 4
    assert_same(only_copy(kept, "request"), BEFORE + DURING + AFTER)
    assert_same(only_copy(added, "request"), DURING)


async def test_the_end_of_the_connection_is_that_of_the_attachment(tmp_path: Path) -> None:
    async with relay(**ROOM) as it:
        connection = await it.connect()
        attach(it, session=live(it), to=f"file:{tmp_path}", connection="0-1")
        await pass_on(connection, DURING)
        await end_well(connection)
        await gone(it)
        line = await it.line()
        assert told(it) == []
    assert {account["state"] for account in line["mirrors"]} == {"complete"}
    assert record_in(tmp_path)["reason"] == "closed"


async def test_only_the_direction_that_goes_on(tmp_path: Path) -> None:
    async with relay(**ROOM) as it:
        connection = await it.connect()
        connection.client.finish()
        await connection.backend.receive_rest()
        attach(it, session=live(it), to=f"file:{tmp_path}", connection="0-1")
        await connection.backend.send(DURING)
        await connection.client.receive_exactly(len(DURING))
        connection.backend.finish()
        await gone(it)
    assert record_in(tmp_path)["attached_at"] == {"response": 0}
    assert_same(only_copy(tmp_path, "response"), DURING)


async def test_new_connections_of_a_network(tmp_path: Path) -> None:
    async with relay(**ROOM) as it:
        before = await it.connect()
        attach(it, 1, to=f"file:{tmp_path}", client="127.0.0.0/8")
        attach(it, 2, to=f"file:{tmp_path}", client="10.0.0.0/8")
        for _ in range(2):
            await pass_on(await it.connect(), DURING)
        await pass_on(before, DURING)
        assert told(it) == [1, 2]
        await eventually(lambda: len(copied(tmp_path, "request")) == 2)
        name = f"file:{tmp_path}@1"
        assert counted(it, name, MirrorCell.ATTACHED) == 1
        assert counted(it, name, MirrorCell.STREAMS) == 4
        for number in (1, 2):
            it.worker.attachments.detach(number)
        await gone(it)
        assert counted(it, name, MirrorCell.ATTACHED) == 0
        offered = counted(it, name, MirrorCell.OFFERED_BYTES)
        assert offered == 2 * (len(DURING) + len(DURING) // 2)
        assert counted(it, f"file:{tmp_path}@2", MirrorCell.STREAMS) == 0
    records = copied(tmp_path, "00000?.json")
    assert len(records) == 2
    for record in records:
        assert json.loads(record)["attached_at"] == {"request": 0, "response": 0}


async def test_the_worker_ends_with_a_mirror_attached(tmp_path: Path) -> None:
    async with mirrored("null:", at_once=True, **ROOM) as it:
        connection = await it.connect()
        attach(it, 1, to=f"file:{tmp_path}")
        attach(it, 2, session=live(it), to=f"file:{tmp_path}", connection="0-1")
        await pass_on(connection, DURING)
    [line] = it.events("connection")
    assert {one["reason"] for one in line["mirrors"]} == {"connection_aborted"}
    assert record_in(tmp_path)["reason"] == "stopped"
