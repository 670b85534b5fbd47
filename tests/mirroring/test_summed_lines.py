"""A broken mirror is no flood of lines, however many connections meet it."""

import shutil
from pathlib import Path

import trio

from tests.mirroring.mirrored import Mirrored, mirrored
from tests.proxy.relay import eventually

CONNECTIONS = 30
MOST_LINES = 8  # in the seconds that the connections take


async def connect_often(proxied: Mirrored) -> None:
    for _ in range(CONNECTIONS):
        connection = await proxied.connect()
        connection.client.finish()
        connection.backend.finish()
        await connection.backend.receive_rest()
    await proxied.line(CONNECTIONS)


async def test_records_that_cannot_be_written(tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    with trio.fail_after(30):
        async with mirrored(f"file:{directory}?overflow=gap") as proxied:
            shutil.rmtree(directory)
            await connect_often(proxied)
            await eventually(lambda: proxied.told("record_not_written") == CONNECTIONS)
            lines = proxied.events("record_not_written")
            [mirror] = proxied.proxy.status().routes[0].mirrors
            assert mirror.records_failed == CONNECTIONS
    assert len(lines) <= MOST_LINES
    first = lines[0]
    assert (first["route"], first["count"], first["reason"]) == ("default", 1, "ENOENT")
    assert first["mirror"].startswith(f"file:{directory}")
    assert first["directory"] == str(directory)
    assert first["remedy"] == "create the directory again"
    assert first["last_connection"] != lines[-1]["last_connection"]


async def test_connections_that_a_vital_mirror_fails() -> None:
    with trio.fail_after(30):
        async with mirrored("exec:sh -c 'exit 3'?overflow=block") as proxied:
            for number in range(1, CONNECTIONS + 1):
                await proxied.open_client()
                await proxied.line(number)
    lines = proxied.events("mirror_failed")
    assert 0 < len(lines) <= MOST_LINES
    assert lines[0]["mirror"].startswith("exec:sh -c 'exit 3'")
    assert "overflow=block" in lines[0]["remedy"]


async def test_commands_that_complain_and_fail() -> None:
    text = "exec:sh -c 'cat >/dev/null; seq 20 >&2; exit 3'"
    with trio.fail_after(50):
        async with mirrored(text) as proxied:
            await connect_often(proxied)
    ended = proxied.events("command_ended")
    assert sum(line["count"] for line in ended) == CONNECTIONS
    assert len(ended) <= MOST_LINES
    said = len(proxied.events("command_stderr"))
    cut = proxied.events("command_stderr_cut")
    assert said + sum(line["count"] for line in cut) == 20 * CONNECTIONS
    assert said <= 100 + 10 * 20
    assert len(cut) <= MOST_LINES
