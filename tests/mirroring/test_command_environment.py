"""What a command is given: few variables, the facts of its connection, three descriptors."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from spliceproxy.errors import UsageProblem
from spliceproxy.settings.mirror import MirrorSettings, parse_mirror
from spliceproxy.sinks.checks import check_mirrors
from tests.mirroring.mirrored import mirrored
from tests.proxy.relay import Connection, eventually
from tests.routes_file.reading import mistakes_of, settings_of
from tests.sinks.leftovers import child_processes

TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the proxy."""
    kept = os.environ["PATH"]
    for name in list(os.environ):
        monkeypatch.delenv(name)
    given = {
        "PATH": kept,
        "LC_ALL": "C",
        "TZ": "UTC",
        "HOME": "/root",
        "OTHER": "other",
        "SPLICEPROXY_ADMIN_TOKEN": TOKEN,
        "SPLICEPROXY_VIEWER_TOKEN": TOKEN,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)


def mirror_of(entry: str, **variables: str) -> MirrorSettings:
    text = f"routes: [{{listen: 80, backends: b:80, mirrors: {entry}}}]"
    return settings_of(text, variables).routes[0].mirrors[0]


def read_environment(path: Path) -> dict[str, str]:
    pairs = path.read_bytes().decode().split("\0")
    found = dict(pair.split("=", 1) for pair in pairs if pair)
    # A shell's own.
    return {name: value for name, value in found.items() if name not in ("PWD", "SHLVL", "_")}


async def environment_of(tmp_path: Path, mirror: str | MirrorSettings) -> dict[str, str]:
    """What a command of that mirror is given, which writes it to a file."""
    with trio.fail_after(60):
        async with mirrored(mirror) as proxied:
            proxied.keeps_commands = True
            connection = await proxied.connect()
            await connection.client.send(b"x")
            await eventually(lambda: (tmp_path / "done").exists())
            finish(connection)
            await proxied.line()
    return read_environment(tmp_path / "environment")


def finish(connection: Connection) -> None:
    connection.client.finish()
    connection.backend.finish()


def writes_environment(tmp_path: Path) -> str:
    return (
        f"sh -c 'cat /proc/self/environ > {tmp_path}/environment; touch {tmp_path}/done; "
        "exec cat >/dev/null'"
    )


async def test_a_command_gets_little_of_the_environment_and_the_facts(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    with trio.fail_after(60):
        async with mirrored(f"exec:{writes_environment(tmp_path)}") as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"x")
            await eventually(lambda: (tmp_path / "done").exists())
            [session] = proxied.worker.sessions
            number = f"0-{session.client.number}"
            finish(connection)
            line = await proxied.line()
    found = read_environment(tmp_path / "environment")
    started = datetime.fromisoformat(found.pop("SPLICEPROXY_STARTED"))
    assert before <= started <= datetime.now(UTC)
    assert found == {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C",
        "TZ": "UTC",
        "SPLICEPROXY_ROUTE": "default",
        "SPLICEPROXY_CLIENT": line["client"],
        "SPLICEPROXY_BACKEND": line["backend"],
        "SPLICEPROXY_CONNECTION": number,
        "SPLICEPROXY_DIRECTION": "request",
    }


async def test_a_command_of_the_route_is_told_of_no_connection(tmp_path: Path) -> None:
    found = await environment_of(tmp_path, f"exec:{writes_environment(tmp_path)}?scope=route")
    told = {name: value for name, value in found.items() if name.startswith("SPLICEPROXY_")}
    assert told == {"SPLICEPROXY_ROUTE": "default", "SPLICEPROXY_DIRECTION": "request"}


async def test_what_is_named_is_passed_on(tmp_path: Path) -> None:
    text = f"exec:{writes_environment(tmp_path)}?env=OTHER,SPLICEPROXY_ADMIN_TOKEN"
    found = await environment_of(tmp_path, text)
    assert found["OTHER"] == "other"
    assert found["SPLICEPROXY_ADMIN_TOKEN"] == TOKEN
    assert not found.keys() & {"HOME", "SPLICEPROXY_VIEWER_TOKEN"}


@pytest.mark.parametrize(
    "env",
    [
        "{OTHER: , SECRET: '${S}', EMPTY: ''}",
        "[OTHER, 'SECRET=${S}', 'EMPTY=']",
    ],
)
async def test_a_routes_file_gives_values(env: str, tmp_path: Path) -> None:
    command = writes_environment(tmp_path).replace("'", "''")
    mirror = mirror_of(f"{{to: 'exec:{command}', env: {env}}}", S="a=b")
    found = await environment_of(tmp_path, mirror)
    assert (found["OTHER"], found["SECRET"], found["EMPTY"]) == ("other", "a=b", "")


def descriptors_of(pid: int) -> set[str]:
    return {each.name for each in Path(f"/proc/{pid}/fd").iterdir()}


@pytest.fixture
def leaky() -> Iterator[int]:
    """A descriptor that a child would inherit, if it were not closed."""
    sock = socket.socket()
    sock.set_inheritable(True)
    yield sock.fileno()
    sock.close()


@pytest.mark.usefixtures("leaky")
async def test_a_command_inherits_no_descriptor() -> None:
    others = child_processes()
    with trio.fail_after(60):
        async with mirrored("exec:cat") as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"x")
            await eventually(lambda: len(child_processes() - others) == 1)
            [pid] = child_processes() - others
            # Between fork(2) and execve(2) it has all of them.
            await eventually(lambda: descriptors_of(pid) == {"0", "1", "2"})


@pytest.mark.parametrize("overflow", ["detach", "spill", "block"])
async def test_processes_are_bounded(overflow: str) -> None:
    with trio.fail_after(60):
        async with mirrored(f"exec:cat?overflow={overflow}&max_processes=2") as proxied:
            connections = [await proxied.connect() for _ in range(2)]
            for connection in connections:
                await connection.client.send(b"x")
                await connection.backend.receive_exactly(1)
            late = await proxied.connect() if overflow != "block" else None
            if late is None:
                client = await proxied.open_client()
                assert (await client.receive_rest())[1] == "reset"
                (await proxied.accept()).close()
                line = await proxied.line()
                assert line["reason"] == "mirror_failed"
            else:
                await late.client.send(b"x")
                await late.backend.receive_exactly(1)
                finish(late)
                line = await proxied.line()
            assert line["mirrors"][0]["reason"] == "too_many_streams"
            finish(connections[0])
            await proxied.line(2)  # its command has ended
            again = await proxied.connect()
            await again.client.send(b"x")
            finish(again)
            assert (await proxied.line(3))["mirrors"][0]["state"] == "complete"


def test_a_limit_is_not_for_a_command_of_the_route() -> None:
    with pytest.raises(ValueError, match="max_processes is not for scope=route"):
        parse_mirror("exec:a?scope=route&max_processes=2")


def test_a_variable_that_is_not_there_is_missed_at_the_start() -> None:
    with pytest.raises(UsageProblem, match="variable 'MISSING' is not set; set it, or leave"):
        check_mirrors([parse_mirror("exec:cat?env=OTHER,MISSING")])


def test_the_path_that_a_command_is_given_is_searched(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o700)
    check_mirrors([mirror_of(f"{{to: 'exec:tool', env: {{PATH: '{tmp_path}'}}}}")])
    with pytest.raises(UsageProblem, match="'tool' is not in PATH"):
        check_mirrors([parse_mirror("exec:tool")])


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ("{A-B: x}", "'A-B' is no name of a variable: expected NAME or NAME=VALUE"),
        ("['']", "'' is no name of a variable"),
        ("[A, A=b]", "'A' is given twice"),
        ("{SPLICEPROXY_CLIENT: x}", "'SPLICEPROXY_CLIENT' is set by the proxy itself"),
        ("{A: [b]}", "'A' has more than one value"),
        ("[[b]]", "expected NAME or NAME=VALUE, each once"),
        ("", "expected names of variables, a list of them, or a mapping"),
        ('{A: "\\0"}', "the value of 'A' holds a NUL"),
        (f"{{A: {'x' * 32769}}}", "the value of 'A' is too long: expected at most 32 KiB"),
        (f"[{', '.join(f'A{n}' for n in range(65))}]", "65 variables are too many"),
        ("['${S}']", "'${S}' holds a name and a value: expected NAME=VALUE"),
    ],
)
def test_a_mistake_in_it_is_told(env: str, said: str) -> None:
    text = f"routes: [{{listen: 80, backends: b:80, mirrors: {{to: 'exec:a', env: {env}}}}}]"
    [mistake] = mistakes_of(text, {"S": "A=secret"})
    assert said in mistake
    assert "secret" not in mistake
