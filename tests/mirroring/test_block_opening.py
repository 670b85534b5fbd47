"""`overflow=block`: what happens until a mirror is open, and when it never is."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from spliceproxy.sinks import opening
from spliceproxy.sinks.file_outlet import FileOutlet
from tests.backlog import full_tcp_backlog
from tests.mirroring.mirrored import Mirrored, mirrored
from tests.proxy.peer import Peer
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import Connection, Mode, eventually, three_modes

both_sides = pytest.mark.parametrize("sender", ["client", "backend"])


class SlowDisk:
    """Files are created when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._go = threading.Event()
        real = FileOutlet._write

        def write(outlet: FileOutlet) -> object:
            self._go.wait()
            return real(outlet)

        monkeypatch.setattr(FileOutlet, "_write", write)

    def open(self) -> None:
        self._go.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    made = SlowDisk(monkeypatch)
    yield made
    made.open()  # else the threads of a test that has failed would wait for ever


async def nothing_passes(proxied: Mirrored, connection: Connection) -> None:
    await eventually(lambda: bool(proxied.worker.sessions))
    await assert_quiet()
    for peer in (connection.client, connection.backend):
        with pytest.raises(BlockingIOError):
            peer.sock.recv(1)


@three_modes
@both_sides
async def test_whoever_speaks_first_is_held_until_the_files_are_there(
    sender: str, mode: Mode, tmp_path: Path, disk: SlowDisk
) -> None:
    """A banner of the backend is no exception."""
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block", mode=mode) as proxied:
            connection = await proxied.connect()
            speaker, listener = connection.ends(sender)
            await speaker.send(b"220 at your service")
            await nothing_passes(proxied, connection)
            disk.open()
            assert await listener.receive_exactly(19) == b"220 at your service"
            speaker.finish()
            listener.finish()
            assert (await proxied.line())["reason"] == "closed"


@three_modes
@both_sides
async def test_both_directions_wait_for_the_mirrors_of_both(
    sender: str, mode: Mode, tmp_path: Path
) -> None:
    """The files are there at once; the other mirror, of one direction, is not yet."""
    with trio.fail_after(30), full_tcp_backlog() as (address, listener):
        texts = (
            f"file:{tmp_path}?overflow=block",
            f"tcp://{address}?overflow=block&direction=request",
        )
        async with mirrored(*texts, mode=mode) as proxied:
            connection = await proxied.connect()
            speaker, hearer = connection.ends(sender)
            await speaker.send(b"first")
            await nothing_passes(proxied, connection)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(let_in, listener)
                assert await hearer.receive_exactly(5) == b"first"
                connection.client.finish()
                connection.backend.finish()
                assert (await proxied.line())["reason"] == "closed"
                await proxied.settled()
                nursery.cancel_scope.cancel()


async def let_in(listener: socket.socket) -> None:
    """Accept whoever waits, and who comes then, and hear them out: the mirror is among them."""

    async def hear_out(peer: Peer) -> None:
        try:
            await peer.receive_rest()
        finally:
            peer.close()

    listener.setblocking(False)
    async with trio.open_nursery() as nursery:
        while True:
            try:
                nursery.start_soon(hear_out, Peer(listener.accept()[0]))
            except BlockingIOError:
                await trio.sleep(0.01)


@pytest.mark.usefixtures("impatient")
@both_sides
async def test_a_mirror_that_never_opens_ends_in_resets(sender: str) -> None:
    with trio.fail_after(30), full_tcp_backlog() as (address, _):
        async with mirrored(f"tcp://{address}?overflow=block&direction=both") as proxied:
            connection = await proxied.connect()
            speaker, listener = connection.ends(sender)
            await speaker.send(b"hello")
            assert await listener.receive_rest() == (b"", "reset")
            assert await speaker.receive_rest() == (b"", "reset")
            line = await proxied.line()
            assert line["reason"] == "mirror_failed"
            assert "connect_timeout" in {one["reason"] for one in line["mirrors"]}


async def test_a_disk_that_hangs_before_the_first_byte_ends_in_resets(
    tmp_path: Path, disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "OPEN_TIMEOUT_S", 0.2)
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block") as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"hello")
            assert await connection.backend.receive_rest() == (b"", "reset")
            assert await connection.client.receive_rest() == (b"", "reset")
            disk.open()
            line = await proxied.line()
            assert line["reason"] == "mirror_failed"
            assert "open_timeout" in {one["reason"] for one in line["mirrors"]}


@pytest.mark.parametrize("how", ["reset", "gone", "finish"])
@both_sides
async def test_a_peer_that_leaves_meanwhile(
    how: str, sender: str, tmp_path: Path, disk: SlowDisk
) -> None:
    """Nothing spins, and its end is met in its place."""
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block") as proxied:
            connection = await proxied.connect()
            speaker, listener = connection.ends(sender)
            await speaker.send(b"last words")
            {"reset": speaker.reset, "gone": speaker.close, "finish": speaker.finish}[how]()
            await assert_quiet()
            disk.open()
            received, end = await listener.receive_rest()
            listener.close()
            if how == "reset":
                assert end == "reset"
            else:
                assert (received, end) == (b"last words", "eof")
                speaker.close()
            await proxied.line()


async def test_a_stop_while_a_mirror_opens(tmp_path: Path, disk: SlowDisk) -> None:
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block", at_once=True) as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"hello")
            proxied.worker.reset_all("stopped")
            assert await connection.backend.receive_rest() == (b"", "reset")
            disk.open()
            assert (await proxied.line())["reason"] == "stopped"
