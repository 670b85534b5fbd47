"""`overflow=block`: a mirror that is known to fail, and one that works again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from spliceproxy.policy.backoff import Backoff
from spliceproxy.proxy import publisher
from spliceproxy.sinks import mirror_state, mirror_watch
from spliceproxy.sinks.mirror_state import MirrorPhase, MirrorState
from tests.mirroring.bad_mirrors import reader, refusing
from tests.mirroring.mirrored import LOCALHOST, Mirrored, mirrored
from tests.mirroring.short_connections import answering, ask, served
from tests.proxy.peer import Acceptor, Peer
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import eventually
from tests.streams import KERNEL_CHOICE

BLOCK = "?overflow=block&direction=request"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror is tried again before long."""
    monkeypatch.setattr(mirror_state, "BACKOFF", Backoff(first_s=0.05, longest_s=0.1))
    monkeypatch.setattr(mirror_state, "_PROVEN_S", 0.1)
    monkeypatch.setattr(mirror_watch, "QUIET_S", 0.1)
    monkeypatch.setattr(publisher, "INTERVAL_S", 0.02)


def state_of(proxied: Mirrored) -> MirrorState:
    [mirror] = proxied.mirrors.mirrors
    return mirror.state


async def test_clients_of_a_failing_mirror_cost_no_backend_a_connection(tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    with trio.fail_after(30):
        async with mirrored(f"file:{directory}{BLOCK}") as proxied, answering(proxied) as requests:
            directory.rmdir()
            assert not await ask(proxied)
            assert await served(proxied, 5) == 0
            assert requests == []
            state = state_of(proxied)
            assert (state.is_failing, state.reason, state.lost_streams) == (True, "file_enoent", 1)
            await proxied.line(6)
            [line, *_] = [
                line for line in proxied.events("connection") if line["reason"] != "mirror_failed"
            ]
            assert (line["reason"], line["termination"]) == ("mirror_failing", "PC")
            assert not line["backend"]
            [route] = proxied.proxy.status().routes
            assert route.ended == {"mirror_failed": 1, "mirror_failing": 5}
            [backend] = route.backends
            assert backend.connections == 1


@pytest.mark.usefixtures("soon")
async def test_a_directory_that_comes_back_is_found_without_a_client(tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    with trio.fail_after(30):
        async with mirrored(f"file:{directory}{BLOCK}") as proxied, answering(proxied):
            directory.rmdir()
            assert not await ask(proxied)
            directory.mkdir()
            await eventually(lambda: not state_of(proxied).is_failing)
            assert await served(proxied, 3) == 3
            await eventually(lambda: len(proxied.events("mirror_recovered")) == 1)


@asynccontextmanager
async def listening_again(text: str) -> AsyncIterator[list[Peer]]:
    """Hear out whoever connects to where a mirror was."""
    path = text.removeprefix("unix:")
    address = path if path != text else (LOCALHOST, int(text.rpartition(":")[2]))
    acceptor = Acceptor(address, KERNEL_CHOICE, 16)
    accepted: list[Peer] = []

    async def hear_out(peer: Peer) -> None:
        if text.startswith("tls:"):
            await peer.speak_tls(server_side=True)
        await peer.receive_rest()
        peer.close()

    async def accept(nursery: trio.Nursery) -> None:
        while True:
            accepted.append(await acceptor.accept())
            nursery.start_soon(hear_out, accepted[-1])

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept, nursery)
            yield accepted
            nursery.cancel_scope.cancel()
    finally:
        acceptor.close()
        for peer in accepted:
            peer.close()


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
async def test_a_peer_that_comes_back_is_found_without_a_client(kind: str, tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with reader(kind, tmp_path) as bad:
            text = bad.text
        if kind == "unix":
            (tmp_path / "mirror.sock").unlink(missing_ok=True)
        async with mirrored(text + BLOCK) as proxied, answering(proxied):
            assert not await ask(proxied)
            assert not await ask(proxied)
            async with listening_again(text) as accepted:
                await eventually(lambda: not state_of(proxied).is_failing)
                assert await served(proxied, 3) == 3
                assert len(accepted) == 3 + 1


@pytest.mark.usefixtures("soon")
async def test_a_peer_that_stays_away_is_asked_again_and_again(tmp_path: Path) -> None:
    with trio.fail_after(30), refusing("tcp", tmp_path) as text:
        async with mirrored(text + BLOCK) as proxied, answering(proxied):
            assert not await ask(proxied)
            await eventually(lambda: state_of(proxied)._failures > 3)
            await assert_quiet()
            assert not await ask(proxied)
            assert (await proxied.line(2))["reason"] == "mirror_failing"


@pytest.mark.usefixtures("soon")
async def test_a_command_is_tried_by_one_client_at_a_time(tmp_path: Path) -> None:
    """Who sees it fail, or is served; the others are refused meanwhile."""
    script = tmp_path / "command"
    script.write_text(f"#!/bin/sh\n[ -e {tmp_path}/works ] && exec cat > /dev/null\nexit 1\n")
    script.chmod(0o700)
    with trio.fail_after(30):
        async with mirrored(f"exec:{script}{BLOCK}") as proxied, answering(proxied):
            assert not await ask(proxied)
            state = state_of(proxied)
            await eventually(lambda: state.phase is MirrorPhase.DUE)
            trial = await proxied.open_client()
            await eventually(lambda: state.phase is not MirrorPhase.DUE)
            assert not await ask(proxied)
            assert (await trial.receive_rest())[1] == "reset"
            trial.close()
            (tmp_path / "works").touch()
            await eventually(lambda: state.phase is MirrorPhase.DUE)
            assert await ask(proxied)
            await eventually(lambda: not state.is_failing)
            assert await served(proxied, 2) == 2


async def test_mirrors_without_block_tell_how_they_are_and_refuse_nobody(tmp_path: Path) -> None:
    with trio.fail_after(30), refusing("tcp", tmp_path) as text:
        async with mirrored(text) as proxied, answering(proxied):
            assert await served(proxied, 3) == 3
            state = state_of(proxied)
            await eventually(lambda: state.lost_streams == 3)
            assert (state.is_failing, state.reason) == (True, "mirror_refused")
            assert state._timer is None


async def test_a_client_who_resets_says_nothing_against_a_mirror(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}{BLOCK}") as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"x")
            await connection.backend.receive_exactly(1)
            connection.client.reset()
            assert (await proxied.line())["reason"] == "client_reset"
            assert (state_of(proxied).phase, state_of(proxied).lost_streams) == (MirrorPhase.OK, 0)
