"""`file:` mirrors on disks that misbehave, with each policy."""

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest
import trio

from spliceproxy.sinks import file_directory
from tests.mirroring.mirrored import mirrored
from tests.mirroring.records import gaps_of, names_in, paths_in, record_in
from tests.proxy.judge import exchange
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.relay import both_modes, eventually
from tests.sinks.gaps import assert_equal_outside_of_gaps
from tests.sinks.places import FilePlace

DATA = random_bytes(3_000_000)
LARGEST = 200_000
never_blocking = pytest.mark.parametrize("overflow", ["detach", "gap"])


async def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    async with mirrored(f"file:{tmp_path}") as proxied:
        connection = await proxied.connect()
        await exchange(connection, b"question", b"answer", seed=1)
        await proxied.line()
    names = names_in(tmp_path)
    assert len(names) == 3
    [day] = {path.parent for path in paths_in(tmp_path)}
    modes = [stat.S_IMODE((day / name).stat().st_mode) for name in names]
    assert modes == [0o600] * 3
    assert stat.S_IMODE(day.stat().st_mode) == 0o700


async def test_names_are_final_only_at_the_end(tmp_path: Path) -> None:
    async with mirrored(f"file:{tmp_path}") as proxied:
        connection = await proxied.connect()
        await connection.client.send(DATA[:100_000])
        await connection.backend.receive_exactly(100_000)
        await eventually(lambda: any(p.stat().st_size == 100_000 for p in tmp_path.glob("*/*")))
        assert len(names_in(tmp_path, "*-request.part")) == len(names_in(tmp_path)) == 1
        connection.client.finish()
        connection.backend.finish()
        await proxied.line()
        assert names_in(tmp_path, "*.part") == []
        assert len(names_in(tmp_path, "*-request")) == len(names_in(tmp_path, "*.json")) == 1


async def test_names_sort_by_time_and_tell_listener_and_direction(tmp_path: Path) -> None:
    async with mirrored(f"file:{tmp_path}") as proxied:
        for number in range(12):
            connection = await proxied.connect()
            await exchange(connection, b"question %d" % number, b"answer", seed=1)
            await proxied.line(number + 1)
        port = proxied.proxy.addresses[0][1]
    paths = paths_in(tmp_path, "*-request")
    assert [int(path.read_bytes().split()[1]) for path in paths] == list(range(12))
    names = [path.name for path in paths]
    assert all(f"-127.0.0.1_{port}-" in name for name in names)
    assert len(names_in(tmp_path, "*-response")) == len(names_in(tmp_path, "*.json")) == 12


@both_modes
@never_blocking
async def test_the_directory_is_gone_before_the_first_byte(
    splice: bool, overflow: str, tmp_path: Path
) -> None:
    directory = tmp_path / "audit"
    with trio.fail_after(20):
        async with mirrored(f"file:{directory}?overflow={overflow}", splice=splice) as proxied:
            directory.rmdir()
            connection = await proxied.connect()
            request, response = await exchange(connection, DATA, DATA, seed=1, largest=LARGEST)
            assert_same(request.received, DATA)
            assert_same(response.received, DATA)
            line = await proxied.line()
            assert proxied.events("record_not_written")
    assert line["reason"] == "closed"
    for account in line["mirrors"]:
        assert account["dropped_bytes"] == len(DATA)
        assert account["reason"] == "file_enoent"


async def test_the_directory_goes_away_while_a_file_is_open(tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    with trio.fail_after(20):
        async with mirrored(f"file:{directory}") as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"first")
            await eventually(lambda: bool(list(directory.glob("*/*"))))
            shutil.rmtree(directory)
            request, _ = await exchange(connection, DATA, DATA, seed=1, largest=LARGEST)
            assert_same(request.received, b"first" + DATA)
            line = await proxied.line()
    assert line["reason"] == "closed"
    assert all(account["state"] == "incomplete" for account in line["mirrors"])


async def test_with_gap_a_directory_that_comes_back_gets_the_rest(tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    place = FilePlace(directory)
    with trio.fail_after(20):
        async with mirrored(f"{place.text}?overflow=gap&direction=request") as proxied:
            directory.rmdir()
            connection = await proxied.connect()
            await connection.client.send(DATA[:500_000])
            await connection.backend.receive_exactly(500_000)
            await eventually(lambda: proxied.mirrors.budget.used_bytes == 0)
            directory.mkdir()
            await exchange(connection, DATA[500_000:], b"", seed=1, largest=LARGEST)
            account = await proxied.account()
    assert account["reason"] == "file_enoent"
    gaps = gaps_of(directory)["request"]
    assert_equal_outside_of_gaps(place.stream(), DATA, gaps)
    assert gaps[0].offset == 0
    assert gaps[0].length == account["dropped_bytes"] == 500_000


async def test_with_block_no_file_means_no_traffic(tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    with trio.fail_after(20):
        async with mirrored(f"file:{directory}?overflow=block") as proxied:
            directory.rmdir()
            connection = await proxied.connect()
            assert await connection.client.receive_rest() == (b"", "reset")
            assert await connection.backend.receive_rest() == (b"", "reset")
            assert (await proxied.line())["reason"] == "mirror_failed"


async def test_gaps_of_a_lagging_disk_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What exceeds the buffer is skipped, and the file is right around it."""
    place = FilePlace(tmp_path)
    with trio.fail_after(20):
        text = f"{place.text}?overflow=gap&buffer=60000&direction=request"
        async with mirrored(text) as proxied:
            connection = await proxied.connect()
            await exchange(connection, DATA, b"", seed=1, largest=LARGEST)
            account = await proxied.account()
    assert account["dropped_bytes"] > 0
    assert account["reason"] == "buffer_full"
    gaps = gaps_of(tmp_path)["request"]
    assert sum(gap.length for gap in gaps) == account["dropped_bytes"]
    assert_equal_outside_of_gaps(place.stream(), DATA, gaps)
    [told] = record_in(tmp_path)["mirrors"]
    assert told == account


async def test_a_record_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: bytes) -> None:
        os.close(fd)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with trio.fail_after(20):
        async with mirrored(f"file:{tmp_path}") as proxied:
            monkeypatch.setattr(file_directory, "_write_and_close", full)
            connection = await proxied.connect()
            await exchange(connection, b"question", b"answer", seed=1)
            line = await proxied.line()
            monkeypatch.undo()
            assert len(proxied.events("record_not_written")) == 1
    assert [account["state"] for account in line["mirrors"]] == ["complete", "complete"]
    assert names_in(tmp_path, "*.json*") == []
