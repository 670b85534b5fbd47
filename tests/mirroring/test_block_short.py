"""`overflow=block`: none of many short connections is served without a complete record."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
import trio

from tests.mirroring.attaching import ROOM, attach, nothing_is_left
from tests.mirroring.bad_mirrors import refusing
from tests.mirroring.mirrored import Mirrored, mirrored
from tests.mirroring.records import names_in, paths_in
from tests.mirroring.short_connections import ANSWER, REQUEST, answering, ask, served
from tests.mirroring.test_full_disk import DISK_BYTES, small_disk
from tests.proxy.relay import Mode, eventually, relay, three_modes
from tests.sinks.places import make_place

__all__ = ["small_disk"]

COUNT = 20


def ends(proxied: Mirrored) -> Counter[str]:
    return Counter(line["reason"] for line in proxied.events("connection"))


@three_modes
async def test_a_directory_that_is_gone(mode: Mode, tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    with trio.fail_after(30):
        async with (
            mirrored(f"file:{directory}?overflow=block", mode=mode) as proxied,
            answering(proxied) as requests,
        ):
            directory.rmdir()
            assert await served(proxied, 2 * COUNT) == 0
            assert requests == []
            await proxied.settled()
            # The first one has found out; the others were not let in.
            found = ends(proxied)
            assert found["mirror_failed"] >= 1
            assert found["mirror_failing"] >= 1
            assert found.total() == 2 * COUNT
            assert found.keys() == {"mirror_failed", "mirror_failing"}
            await eventually(lambda: len(proxied.events("mirror_failing")) == 1)
            [line] = proxied.events("mirror_failing")
            assert (line["route"], line["reason"]) == ("default", "file_enoent")


@three_modes
@pytest.mark.parametrize("scope", ["connection", "route"])
async def test_a_command_that_fails_at_once(mode: Mode, scope: str) -> None:
    with trio.fail_after(30):
        async with (
            mirrored(f"exec:/bin/false?overflow=block&scope={scope}", mode=mode) as proxied,
            answering(proxied),
        ):
            assert await served(proxied, COUNT) == 0
            await proxied.settled()
            assert ends(proxied).total() == COUNT
            assert ends(proxied).keys() <= {"mirror_failed", "mirror_failing"}


@three_modes
async def test_a_disk_that_runs_full(mode: Mode, small_disk: Path) -> None:
    """As long as there is room all are served, then none."""
    room = 40 << 10
    (small_disk / "filler").write_bytes(bytes(DISK_BYTES - room))
    with trio.fail_after(30):
        async with (
            mirrored(f"file:{small_disk}?overflow=block", mode=mode) as proxied,
            answering(proxied),
        ):
            outcomes = [await ask(proxied) for _ in range(COUNT)]
            await proxied.settled()
    good = sum(outcomes)
    assert 0 < good < COUNT
    assert outcomes == sorted(outcomes, reverse=True)
    for direction, data in (("request", REQUEST), ("response", ANSWER)):
        paths = paths_in(small_disk, f"*-{direction}")
        assert [path.read_bytes() for path in paths].count(data) >= good


async def test_a_peer_that_is_not_there_or_resets(tmp_path: Path) -> None:
    with trio.fail_after(30), refusing("tcp", tmp_path) as text:
        async with mirrored(f"{text}?overflow=block") as proxied, answering(proxied) as requests:
            assert await served(proxied, COUNT) == 0
            assert requests == []


@three_modes
@pytest.mark.parametrize("kind", ["file", "tcp", "tls", "unix", "exec"])
async def test_a_mirror_that_works_has_all_when_the_client_sees_the_end(
    kind: str, mode: Mode, tmp_path: Path
) -> None:
    place = make_place(kind, tmp_path)  # type: ignore[arg-type]
    with trio.fail_after(30):
        async with place.open():
            text = f"{place.text}?overflow=block&direction=request"
            async with mirrored(text, mode=mode) as proxied, answering(proxied):
                assert await ask(proxied)
                if kind == "file":  # at this moment, not soon
                    assert await place.received() == REQUEST
                assert (await proxied.account())["state"] == "complete"
            assert await place.received() == REQUEST


async def test_a_file_is_there_before_the_first_byte(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with mirrored(f"file:{tmp_path}?overflow=block") as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"x")
            await connection.backend.receive_exactly(1)
            assert len(names_in(tmp_path, "*.part")) == 2
            connection.client.finish()
            connection.backend.finish()
            await proxied.line()
            await proxied.settled()
    # A stream of no bytes leaves no file.
    assert [len(names_in(tmp_path, f"*{end}")) for end in ("-request", ".json", "")] == [1, 1, 2]


@three_modes
async def test_an_attached_mirror_counts_from_when_it_is_attached(
    mode: Mode, tmp_path: Path
) -> None:
    directory = tmp_path / "audit"
    directory.mkdir()
    with trio.fail_after(30):
        async with relay(mode=mode, **ROOM) as it, answering(it) as requests:
            assert await ask(it)
            assert attach(it, to=f"file:{directory}?overflow=block")
            assert await ask(it)
            assert len(paths_in(directory, "*-request")) == 1
            await it.settled()
            await eventually(lambda: not it.worker.mirroring)
            shutil.rmtree(directory)
            assert sum([await ask(it) for _ in range(COUNT)]) == 0
            assert len(requests) == 2
            assert it.worker.attachments.detach(1)
            await eventually(lambda: nothing_is_left(it))
            assert await ask(it)


async def test_an_attachment_holds_a_live_connection_until_it_is_open(tmp_path: Path) -> None:
    with trio.fail_after(30):
        async with relay(**ROOM) as it:
            connection = await it.connect()
            await connection.client.send(b"before")
            await connection.backend.receive_exactly(6)
            [session] = it.worker.sessions
            text = f"file:{tmp_path}/absent?overflow=block"
            await connection.client.send(b"after")
            assert attach(it, session=session, to=text, connection="0-1")
            assert await connection.backend.receive_rest() == (b"", "reset")
            assert (await it.line())["reason"] == "mirror_failed"
            await eventually(lambda: nothing_is_left(it))
