"""Draining waits for mirrors, its deadline cuts them, and nothing outlives the proxy."""

import time
from pathlib import Path

import pytest
import trio

from tests.mirroring.bad_mirrors import reader
from tests.mirroring.mirrored import mirrored
from tests.mirroring.records import names_in
from tests.proxy.judge import exchange
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.relay import Mode, eventually, three_modes
from tests.sinks.places import KINDS, FilePlace, Kind, make_place

DATA = random_bytes(2_000_000)
SOON_S = 5.0  # well below what a mirror that stands still is given otherwise

pytestmark = pytest.mark.usefixtures("small_mirror_sockets")


async def test_a_drain_waits_for_what_is_on_its_way(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with reader("tcp", tmp_path) as slow, mirrored(slow.text) as proxied:
            connection = await proxied.connect()
            peer = await slow.accept()
            await exchange(connection, DATA, b"", seed=1, largest=200_000)
            await eventually(lambda: not proxied.worker.sessions)
            async with trio.open_nursery() as nursery:
                reset: list[int] = []

                async def drain() -> None:
                    reset.append(await proxied.worker.drain_within(25))

                nursery.start_soon(drain)
                await trio.sleep(0.1)
                assert reset == []
                received, _ = await peer.receive_rest()
                peer.close()
            assert_same(received, DATA)
            assert (await proxied.account())["state"] == "complete"


@pytest.mark.parametrize("live", [True, False], ids=["live", "ended"])
@pytest.mark.parametrize("overflow", ["detach", "spill", "block"])
async def test_the_deadline_cuts_what_stands_still(
    live: bool, overflow: str, tmp_path: Path
) -> None:
    with trio.fail_after(30):
        text = f"?overflow={overflow}&buffer=8MiB"
        async with reader("tcp", tmp_path) as stuck, mirrored(stuck.text + text) as proxied:
            connection = await proxied.connect()
            await stuck.accept()
            await connection.client.send(DATA)
            await connection.backend.receive_exactly(len(DATA))
            if not live:
                connection.client.finish()
                connection.backend.finish()
                if overflow != "block":  # whose end waits for the mirror
                    await eventually(lambda: not proxied.worker.sessions)
            started_s = time.monotonic()
            await proxied.worker.drain_within(0.1)
            line = await proxied.line()
            assert time.monotonic() - started_s < SOON_S
    cut = live or overflow == "block"
    assert line["reason"] == ("drain_deadline" if cut else "closed")
    assert line["mirrors"][0]["reason"] in {"stopped", "connection_aborted"}
    assert line["mirrors"][0]["dropped_bytes"] > 0


@three_modes
@pytest.mark.parametrize("kind", KINDS)
async def test_stopping_at_once_leaves_nothing(kind: Kind, mode: Mode, tmp_path: Path) -> None:
    place = make_place(kind, tmp_path, held=True)
    with trio.fail_after(30):
        async with place.open():
            async with mirrored(place.text, mode=mode, at_once=True) as proxied:
                connections = [await proxied.connect() for _ in range(3 if kind == "file" else 1)]
                for connection in connections:
                    await connection.client.send(DATA)
                    await connection.backend.receive_exactly(len(DATA))
                place.release()
            lines = proxied.events("connection")
    assert [line["reason"] for line in lines] == ["stopped"] * len(connections)
    assert all(line["mirrors"] for line in lines)


async def test_stopping_keeps_what_is_written(tmp_path: Path) -> None:
    place = FilePlace(tmp_path)
    with trio.fail_after(30):
        async with mirrored(place.text, at_once=True) as proxied:
            connection = await proxied.connect()
            await connection.client.send(DATA)
            await connection.backend.receive_exactly(len(DATA))
            await eventually(lambda: proxied.mirrors.budget.used_bytes == 0)
    assert_same(place.stream(), DATA)
    assert names_in(tmp_path, "*.part") == []
    assert len(names_in(tmp_path, "*.json")) == 1


async def test_a_record_is_written_though_another_mirror_ends_last(tmp_path: Path) -> None:
    place = FilePlace(tmp_path)
    slow = "exec:cat > /dev/null; sleep 0.3?shell=yes"
    with trio.fail_after(30):
        async with mirrored(place.text, slow, at_once=True) as proxied:
            connection = await proxied.connect()
            await exchange(connection, b"question", b"answer", seed=1)
            await eventually(lambda: proxied.mirrors.streams.taken == 1)  # the command
    [line] = proxied.events("connection")
    files = [account for account in line["mirrors"] if account["to"] == place.text]
    assert [account["state"] for account in files] == ["complete", "complete"]
    assert len(names_in(tmp_path, "*.json")) == 1


async def test_a_reset_client_whose_answer_is_still_underway_is_cut_too(tmp_path: Path) -> None:
    """In its farewell a connection has a mirror as well."""
    with trio.fail_after(30):
        async with reader("tcp", tmp_path) as stuck:
            async with mirrored(stuck.text + "?buffer=8MiB", at_once=True) as proxied:
                connection = await proxied.connect()
                await stuck.accept()
                await connection.client.send(DATA)
                connection.client.reset()
                await trio.sleep(0.05)
            assert len(proxied.events("connection")) == 1
