"""How a mirror is, as the status and the log tell it: ok, behind, failing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from spliceproxy.observe.status import MirrorStatus
from spliceproxy.proxy import publisher
from spliceproxy.sinks import mirror_watch
from tests.mirroring.attaching import ROOM, attach, nothing_is_left
from tests.mirroring.bad_mirrors import reader, refusing
from tests.mirroring.holding import BLOCK, Traffic
from tests.mirroring.mirrored import LOCALHOST, mirrored
from tests.mirroring.short_connections import answering, ask, served
from tests.mirroring.test_attaching import DURING, pass_on
from tests.proxy.peer import Acceptor, Peer
from tests.proxy.relay import Relay, eventually, relay
from tests.streams import KERNEL_CHOICE

FAR = 3600.0


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mirrors are looked at often, and soon told to work again."""
    monkeypatch.setattr(publisher, "INTERVAL_S", 0.02)
    monkeypatch.setattr(mirror_watch, "QUIET_S", 0.1)


def status(it: Relay) -> MirrorStatus:
    [mirror] = it.proxy.status().routes[0].mirrors
    return mirror


def lines(it: Relay) -> list[dict[str, Any]]:
    """What the log says of the mirror's state."""
    told = ("mirror_failing", "mirror_behind", "mirror_recovered")
    return [dict(line) for line in it.log if line["event"] in told]


def events(it: Relay) -> list[str]:
    return [line["event"] for line in lines(it)]


@asynccontextmanager
async def reading(text: str) -> AsyncIterator[None]:
    """Take whatever comes to where a mirror was that nobody listened for."""
    acceptor = Acceptor((LOCALHOST, int(text.rpartition(":")[2])), KERNEL_CHOICE, 16)
    peers: list[Peer] = []

    async def take(peer: Peer) -> None:
        await peer.receive_rest()
        peer.close()

    async def accept(nursery: trio.Nursery) -> None:
        while True:
            peers.append(await acceptor.accept())
            nursery.start_soon(take, peers[-1])

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept, nursery)
            yield
            nursery.cancel_scope.cancel()
    finally:
        acceptor.close()
        for peer in peers:
            peer.close()


async def test_a_mirror_that_is_dead_is_told_of_once_and_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    with trio.fail_after(30), refusing("tcp", tmp_path) as text:
        async with mirrored(text) as it, answering(it):
            assert (status(it).state, status(it).reason) == ("ok", "")
            assert await served(it, 3) == 3
            await eventually(lambda: status(it).state == "failing")
            assert (status(it).reason, status(it).is_on) == ("mirror_refused", True)
            assert status(it).since > 0
            await it.settled()
            async with reading(text):
                assert await ask(it)
                await eventually(lambda: status(it).state == "ok")
            failing, recovered = lines(it)
    for line in (failing, recovered):
        assert (line["log_level"], line["route"], line["mirror"]) == ("warning", "default", text)
        assert line["reason"] == "mirror_refused"
    assert (failing["event"], recovered["event"]) == ("mirror_failing", "mirror_recovered")
    assert failing["since"] <= recovered["since"]
    assert (recovered["lost_streams"], recovered["lost_bytes"]) == (3, 27)


async def test_a_mirror_that_flaps_is_told_of_as_one_that_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mirror_watch, "QUIET_S", FAR)
    with trio.fail_after(30), refusing("tcp", tmp_path) as text:
        async with mirrored(text) as it, answering(it):
            for _ in range(4):
                assert await ask(it)
                await it.settled()
                async with reading(text):
                    assert await ask(it)
                    await it.settled()
            await eventually(lambda: not it.mirrors.mirrors[0].state.is_failing)
            await trio.sleep(0.1)  # some looks
            assert status(it).state == "failing"
            assert events(it) == ["mirror_failing"]


async def test_an_open_stream_that_takes_bytes_is_enough_to_recover(tmp_path: Path) -> None:
    with trio.fail_after(30), refusing("tcp", tmp_path) as text:
        async with mirrored(text) as it:
            first = await it.connect()
            await pass_on(first, b"x" * 100)
            await eventually(lambda: status(it).state == "failing")
            async with reading(text):
                second = await it.connect()
                await pass_on(second, b"x" * 100)
                await eventually(lambda: status(it).state == "ok")
                assert len(it.events("connection")) == 0
                for connection in (first, second):
                    connection.client.finish()
                    connection.backend.finish()
                await it.line(2)


async def test_a_mirror_that_has_lost_copies_is_behind_until_none_are_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mirror_watch, "QUIET_S", FAR)  # however late this task gets to look
    with trio.fail_after(30):
        async with (
            reader("tcp", tmp_path) as slow,
            mirrored(f"{slow.text}?overflow=detach&buffer=64KiB") as it,
        ):
            connection = await it.connect()
            await pass_on(connection, b"y" * (6 << 20))
            await eventually(lambda: status(it).state == "behind")
            assert status(it).reason == "buffer_full"
            peer = await slow.accept()
            await peer.receive_rest()
            assert status(it).state == "behind"
            monkeypatch.setattr(mirror_watch, "QUIET_S", 0.1)
            await eventually(lambda: status(it).state == "ok")
            assert events(it) == ["mirror_behind", "mirror_recovered"]
            [behind, _] = lines(it)
            assert (behind["lost_streams"], behind["reason"]) == (0, "buffer_full")
            assert behind["lost_bytes"] > 0


async def test_a_mirror_that_holds_the_traffic_back_is_behind_until_it_has_caught_up(
    tmp_path: Path,
) -> None:
    with trio.fail_after(30):
        async with reader("tcp", tmp_path) as slow, mirrored(slow.text + BLOCK) as it:
            connection = await it.connect()
            async with trio.open_nursery() as nursery:
                traffic = Traffic(connection, nursery)
                await traffic.held(it)
                await eventually(lambda: status(it).state == "behind")
                assert status(it).reason == "lagging"
                traffic.stop()
                peer = await slow.accept()
                while status(it).lag_bytes or status(it).state != "ok":
                    with trio.move_on_after(0.05):
                        await peer.receive_some()
            assert [events(it)[0], events(it)[-1]] == ["mirror_behind", "mirror_recovered"]
            assert status(it).dropped_bytes == 0


async def test_how_an_attached_mirror_is_is_told_and_its_losses_at_the_end(
    tmp_path: Path,
) -> None:
    with trio.fail_after(30), refusing("tcp", tmp_path) as text:
        async with relay(**ROOM) as it, answering(it):
            assert attach(it, to=text)
            assert await ask(it)
            await eventually(lambda: len(events(it)) == 1)
            [line] = lines(it)
            assert (line["mirror"], line["reason"]) == (f"{text}@1", "mirror_refused")
            assert it.worker.attachments.detach(1)
            await eventually(lambda: nothing_is_left(it))
            [ended] = it.events("mirror_detached")
            assert (ended["lost_streams"], ended["left_out"]) == (1, 0)


async def test_losses_of_the_last_second_are_told_at_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(publisher, "INTERVAL_S", FAR)
    with trio.fail_after(30), refusing("tcp", tmp_path) as text:
        async with mirrored(text) as it, answering(it):
            assert await ask(it)
            assert events(it) == []
    assert events(it) == ["mirror_failing"]


async def test_what_is_not_the_mirrors_fault_changes_nothing(tmp_path: Path) -> None:
    async with mirrored(f"file:{tmp_path}") as it:
        connection = await it.connect()
        await pass_on(connection, DURING)
        connection.client.reset()
        assert (await it.line())["reason"] == "client_reset"
        await trio.sleep(0.1)  # some looks
        assert (status(it).state, events(it)) == ("ok", [])
