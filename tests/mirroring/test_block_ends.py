"""`overflow=block`: an end of stream waits for its record, or is a reset."""

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from spliceproxy.loop.reactor import Reactor
from spliceproxy.sinks.file_outlet import FileOutlet
from tests.mirroring.mirrored import Mirrored, mirrored
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.quiet import assert_quiet
from tests.proxy.relay import TLS_MODES, Connection, Mode, eventually, three_modes

both_sides = pytest.mark.parametrize("sender", ["client", "backend"])
DATA = random_bytes(300_000)


class SlowNames:
    """Files get their names when the test says so, or never."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._go = threading.Event()
        self._error: OSError | None = None
        self.waiting = 0
        real = FileOutlet._rename

        def rename(outlet: FileOutlet) -> None:
            self.waiting += 1
            self._go.wait()
            if self._error is not None:
                assert outlet._fd is not None
                os.close(outlet._fd)
                raise self._error
            real(outlet)

        monkeypatch.setattr(FileOutlet, "_rename", rename)

    def give(self) -> None:
        self._go.set()

    def fail(self) -> None:
        self._error = OSError(errno.EIO, "a broken disk")
        self._go.set()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowNames]:
    made = SlowNames(monkeypatch)
    yield made
    made.give()  # else the threads of a test that has failed would wait for ever


def no_end(peer: Peer) -> None:
    """All has arrived, and no end of stream behind it."""
    with pytest.raises(BlockingIOError):
        peer.sock.recv(1)


async def end_waits(proxied: Mirrored, connection: Connection, sender: str) -> Peer:
    """Have one side send all that it has; the other has it, and the end is held."""
    speaker, listener = connection.ends(sender)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speaker.send, DATA)
        assert_same(await listener.receive_exactly(len(DATA)), DATA)
    speaker.finish()
    [session] = proxied.worker.sessions
    assert session.link is not None
    link = session.link
    await eventually(
        lambda: (link.request if sender == "client" else link.response).held  # its end is
    )
    no_end(listener)
    return listener


@three_modes
@both_sides
async def test_an_end_waits_until_the_file_has_its_name(
    sender: str, mode: Mode, tmp_path: Path, names: SlowNames
) -> None:
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block", mode=mode) as proxied:
            connection = await proxied.connect()
            listener = await end_waits(proxied, connection, sender)
            await assert_quiet()
            no_end(listener)
            names.give()
            assert await listener.receive_rest() == (b"", "eof")
            # The other direction is whole: an answer that comes late.
            speaker, _ = connection.ends(sender)
            await listener.send(b"late")
            listener.finish()
            assert await speaker.receive_rest() == (b"late", "eof")
            line = await proxied.line()
            assert line["reason"] == "closed"
            assert {one["state"] for one in line["mirrors"]} == {"complete"}


@three_modes
@both_sides
async def test_an_end_whose_record_fails_is_a_reset(
    sender: str, mode: Mode, tmp_path: Path, names: SlowNames
) -> None:
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block", mode=mode) as proxied:
            connection = await proxied.connect()
            listener = await end_waits(proxied, connection, sender)
            names.fail()
            assert await listener.receive_rest() == (b"", "reset")
            assert (await connection.ends(sender)[0].receive_rest())[1] == "reset"
            line = await proxied.line()
            assert line["reason"] == "mirror_failed"
            assert "file_eio" in {one["reason"] for one in line["mirrors"]}
            assert proxied.events("mirror_failed")
            [route] = proxied.proxy.status().routes
            assert route.ended == {"mirror_failed": 1}


@three_modes
async def test_the_last_bytes_do_not_wait_for_the_end(
    mode: Mode, tmp_path: Path, names: SlowNames
) -> None:
    """They and the end have come together, and the end is not handed on with them."""
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block", mode=mode) as proxied:
            connection = await proxied.connect()
            await eventually(
                lambda: (
                    not any(
                        link.request.held
                        for link in [next(iter(proxied.worker.sessions)).link]
                        if link
                    )
                )
            )
            await connection.client.send(b"last words")
            connection.client.finish()
            with trio.fail_after(0.15):  # the kernel holds back for 0.2 s what more is to follow
                assert await connection.backend.receive_exactly(10) == b"last words"
            names.give()
            connection.backend.finish()
            await proxied.line()


@both_sides
async def test_a_goodbye_by_tls_that_no_fin_follows(
    sender: str, tmp_path: Path, names: SlowNames
) -> None:
    """It is known before it may be handed on, and no event tells of it again."""
    text = f"file:{tmp_path}?overflow=block"
    with trio.fail_after(30):
        async with mirrored(text, mode=TLS_MODES["tls-both"]) as proxied:
            connection = await proxied.connect()
            speaker, listener = connection.ends(sender)
            await speaker.send(b"last words")
            speaker.finish_tls()
            assert await listener.receive_exactly(10) == b"last words"
            await assert_quiet()
            no_end(listener)
            names.give()
            assert await listener.receive_rest() == (b"", "eof")
            listener.finish()
            assert await speaker.receive_rest() == (b"", "eof")
            assert (await proxied.line())["reason"] == "closed"


@three_modes
@pytest.mark.parametrize("who", ["sender", "receiver"])
@both_sides
async def test_a_reset_while_an_end_waits(
    who: str, sender: str, mode: Mode, tmp_path: Path, names: SlowNames
) -> None:
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block", mode=mode) as proxied:
            connection = await proxied.connect()
            listener = await end_waits(proxied, connection, sender)
            speaker, _ = connection.ends(sender)
            (speaker if who == "sender" else listener).reset()
            await assert_quiet()
            with suppress(OSError):
                await (listener if who == "sender" else speaker).send(b"more")
            await assert_quiet()
            names.give()
            left = listener if who == "sender" else speaker
            if who == "sender":  # it may take more than one message to notice
                with suppress(OSError):
                    while True:
                        await left.send(b"more")
                        await trio.sleep(0.01)
            else:
                assert (await left.receive_rest())[1] == "reset"
            assert (await proxied.line())["reason"] in {"client_reset", "backend_reset"}


@pytest.mark.parametrize("how", ["drain", "stop", "idle"])
@both_sides
async def test_what_ends_the_wait(how: str, sender: str, tmp_path: Path, names: SlowNames) -> None:
    limits: dict[str, Any] = {"idle_timeout_s": 0.3} if how == "idle" else {}
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block", **limits) as proxied:
            connection = await proxied.connect()
            listener = await end_waits(proxied, connection, sender)
            if how == "drain":
                await proxied.worker.drain_within(0.1)
            elif how == "stop":
                proxied.worker.reset_all("stopped")
            assert (await listener.receive_rest())[1] == "reset"
            names.give()
            reason = (await proxied.line())["reason"]
            assert (
                reason
                == {
                    "drain": "drain_deadline",
                    "stop": "stopped",
                    "idle": "idle_timeout",
                }[how]
            )


async def test_a_drain_waits_for_an_end_that_waits(tmp_path: Path, names: SlowNames) -> None:
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block") as proxied:
            connection = await proxied.connect()
            await end_waits(proxied, connection, "client")
            connection.backend.finish()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(proxied.worker.drain_within, 20.0)
                await trio.sleep(0.05)
                assert proxied.worker.sessions
                names.give()
            assert (await proxied.line())["reason"] == "closed"


@pytest.mark.usefixtures("impatient")
async def test_a_mirror_that_stands_still_at_the_end(tmp_path: Path, names: SlowNames) -> None:
    """It gets its time, and no more."""
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block") as proxied:
            connection = await proxied.connect()
            listener = await end_waits(proxied, connection, "client")
            assert await listener.receive_rest() == (b"", "reset")
            names.give()
            line = await proxied.line()
            assert line["reason"] == "mirror_failed"
            assert "flush_timeout" in {one["reason"] for one in line["mirrors"]}


@three_modes
async def test_a_waiting_end_causes_no_events(
    mode: Mode, tmp_path: Path, names: SlowNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: an end of stream and a hang-up would be reported for ever."""
    calls = 0
    real = Reactor._call_watchers

    def count(reactor: Reactor, events: list[tuple[int, int]]) -> None:
        nonlocal calls
        calls += len(events)
        real(reactor, events)

    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block", mode=mode) as proxied:
            connection = await proxied.connect()
            await end_waits(proxied, connection, "client")
            connection.backend.finish()
            await eventually(lambda: names.waiting == 2)
            monkeypatch.setattr(Reactor, "_call_watchers", count)
            await trio.sleep(0.2)
            assert calls <= 2
            connection.client.close()
            await trio.sleep(0.2)
            assert calls <= 6
            names.give()
            await proxied.line()


async def test_a_mirror_that_dies_in_the_middle(tmp_path: Path) -> None:
    """The directory goes while a connection is live: its end is a reset, nothing is let in."""
    directory = tmp_path / "audit"
    with trio.fail_after(30):
        async with mirrored(f"file:{directory}?overflow=block") as proxied:
            connection = await proxied.connect()
            await connection.client.send(DATA)
            assert_same(await connection.backend.receive_exactly(len(DATA)), DATA)
            shutil.rmtree(directory)
            connection.client.finish()
            assert await connection.backend.receive_rest() == (b"", "reset")
            assert (await proxied.line())["reason"] == "mirror_failed"
            late = await proxied.open_client()
            assert (await late.receive_rest())[1] == "reset"
            assert (await proxied.line(2))["reason"] == "mirror_failing"


@three_modes
@pytest.mark.parametrize("status", [0, 1])
@pytest.mark.parametrize("scope", ["connection", "route"])
async def test_a_command_has_to_read_what_it_is_given(
    status: int, scope: str, mode: Mode, tmp_path: Path
) -> None:
    """It reads when it is told to, or ends before: what waits in its input is not recorded."""
    script = tmp_path / "command"
    script.write_text(
        "#!/bin/sh\n"
        f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done\n"
        f"[ {status} = 1 ] && exit 1\n"
        f"exec cat > {tmp_path}/input\n"
    )
    script.chmod(0o700)
    with trio.fail_after(30):
        text = f"exec:{script}?overflow=block&scope={scope}"
        async with mirrored(text, mode=mode) as proxied:
            proxied.keeps_commands = True
            connection = await proxied.connect()
            await connection.client.send(b"take this")
            assert await connection.backend.receive_exactly(9) == b"take this"
            connection.client.finish()
            await assert_quiet()
            no_end(connection.backend)
            (tmp_path / "go").touch()
            end = (await connection.backend.receive_rest())[1]
            assert end == ("reset" if status else "eof")
            if not status:
                connection.backend.finish()
            line = await proxied.line()
            assert line["reason"] == ("mirror_failed" if status else "closed")
    if not status:
        assert (tmp_path / "input").read_bytes() == b"take this"
