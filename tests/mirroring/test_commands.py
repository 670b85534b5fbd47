"""`exec:` mirrors: commands that end, hang, complain, or are killed, with each policy."""

import os
import signal
from pathlib import Path

import pytest
import trio

from tests.mirroring.mirrored import Mirrored, mirrored
from tests.proxy.judge import exchange
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.relay import Mode, eventually, three_modes
from tests.sinks.leftovers import child_processes

DATA = random_bytes(3_000_000)
LARGEST = 200_000
never_blocking = pytest.mark.parametrize("overflow", ["detach", "spill"])


async def assert_traffic_is_right(proxied: Mirrored) -> dict[str, object]:
    connection = await proxied.connect()
    request, response = await exchange(connection, DATA, DATA, seed=1, largest=LARGEST)
    assert_same(request.received, DATA)
    assert_same(response.received, DATA)
    line = await proxied.line()
    assert line["reason"] == "closed"
    return dict(line["mirrors"][0])


@three_modes
@never_blocking
async def test_it_is_killed_in_the_middle(mode: Mode, overflow: str, tmp_path: Path) -> None:
    with trio.fail_after(30):
        text = f"exec:sh -c 'head -c 100000 >/dev/null; kill -9 $$'?overflow={overflow}"
        async with mirrored(text, mode=mode) as proxied:
            account = await assert_traffic_is_right(proxied)
            [ended] = proxied.events("command_ended")
    assert account["state"] == "incomplete"
    assert account["dropped_bytes"] != 0
    assert ended["status"] == -signal.SIGKILL


@three_modes
@never_blocking
async def test_it_ends_early(mode: Mode, overflow: str) -> None:
    with trio.fail_after(30):
        async with mirrored(f"exec:head -c 10?overflow={overflow}", mode=mode) as proxied:
            account = await assert_traffic_is_right(proxied)
    assert account["state"] == "incomplete"
    assert account["dropped_bytes"] != 0


@three_modes
@never_blocking
@pytest.mark.usefixtures("impatient")
async def test_it_never_reads(mode: Mode, overflow: str) -> None:
    with trio.fail_after(30):
        text = f"exec:sleep 1000?overflow={overflow}&buffer=100000"
        async with mirrored(text, mode=mode) as proxied:
            account = await assert_traffic_is_right(proxied)
            [ended] = proxied.events("command_ended")
    assert account["reason"] in {"buffer_full", "flush_timeout"}
    assert account["dropped_bytes"] != 0
    assert ended["killed"] is True


async def test_it_is_killed_by_somebody_while_nothing_flows() -> None:
    others = child_processes()
    with trio.fail_after(30):
        async with mirrored("exec:cat?overflow=block") as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"x")
            await connection.backend.receive_exactly(1)
            await eventually(lambda: proxied.mirrors.budget.used_bytes == 0)
            [pid] = child_processes() - others
            os.kill(pid, signal.SIGKILL)
            assert (await connection.client.receive_rest())[1] == "reset"
            assert (await proxied.line())["reason"] == "mirror_failed"


async def test_its_program_goes_away_between_start_and_connection(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec cat >/dev/null\n")
    program.chmod(0o700)
    with trio.fail_after(30):
        async with mirrored(f"exec:{program}") as proxied:
            program.unlink()
            account = await assert_traffic_is_right(proxied)
    assert account["reason"] == "command_enoent"
    assert account["dropped_bytes"] == len(DATA)


async def test_its_status_and_complaints_are_logged() -> None:
    with trio.fail_after(30):
        text = "exec:sh -c 'cat >/dev/null; echo one >&2; echo two >&2; exit 3'"
        async with mirrored(text) as proxied:
            account = await assert_traffic_is_right(proxied)
            said = [event["line"] for event in proxied.events("command_stderr")]
            [ended] = proxied.events("command_ended")
    assert said == ["one", "two"]
    assert (ended["status"], ended["killed"]) == (3, False)
    assert account["reason"] == "command_status_3"
    assert account["delivered_bytes"] == len(DATA)


async def test_complaints_without_end_are_bounded() -> None:
    with trio.fail_after(30):
        text = "exec:sh -c 'yes complaint | head -c 3000000 >&2; cat >/dev/null'"
        async with mirrored(text) as proxied:
            account = await assert_traffic_is_right(proxied)
            told = sum(len(event["line"]) for event in proxied.events("command_stderr"))
    assert told <= 64 << 10
    assert account["state"] == "complete"


async def test_a_child_of_the_command_that_lives_on_holds_nobody_up(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    text = f"exec:sh -c 'sleep 1000 & echo $! > {pid_file}; cat >/dev/null'"
    with trio.fail_after(30):
        async with mirrored(text) as proxied:
            account = await assert_traffic_is_right(proxied)
            assert account["state"] == "complete"
    os.kill(int(pid_file.read_text()), signal.SIGKILL)


async def test_one_command_for_the_route_gets_whole_messages_of_all(tmp_path: Path) -> None:
    path = tmp_path / "all"
    others = child_processes()
    with trio.fail_after(30):
        text = f"exec:sh -c 'cat >> {path}'?scope=route"
        async with mirrored(text) as proxied:
            proxied.keeps_commands = True
            connections = [await proxied.connect() for _ in range(5)]
            for number in range(100):
                for who, connection in enumerate(connections):
                    message = b"message %d of %d\n" % (number, who)
                    await connection.client.send(message)
                    await connection.backend.receive_exactly(len(message))
            assert len(child_processes() - others) == 1
            for connection in connections:
                connection.client.finish()
                connection.backend.finish()
            await proxied.line(5)
    lines = path.read_bytes().splitlines()
    assert len(lines) == 500
    for who in range(5):
        expected = [b"message %d of %d" % (number, who) for number in range(100)]
        assert [line for line in lines if line.endswith(b"of %d" % who)] == expected


async def test_a_command_for_the_route_that_ends_is_started_for_the_next_connection(
    tmp_path: Path,
) -> None:
    path = tmp_path / "starts"
    with trio.fail_after(30):
        text = f"exec:sh -c 'echo x >> {path}; head -c 1 >/dev/null'?scope=route"
        async with mirrored(text) as proxied:
            first = await proxied.connect()
            await first.client.send(b"xx")
            await eventually(lambda: bool(proxied.events("command_ended")))
            first.client.close()
            first.backend.close()
            await proxied.line(1)
            await trio.sleep(1.1)  # it is not started again and again
            second = await proxied.connect()
            await second.client.send(b"xx")
            await eventually(lambda: len(proxied.events("command_ended")) == 2)
    assert path.read_text() == "x\nx\n"
