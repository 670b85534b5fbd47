"""What keeps the command from starting: one line that says what to do, and the exit status."""

import socket
import subprocess
from collections.abc import Sequence

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .namespaces import launcher_without_tmp
from .peers import Backend
from .proxy_command import Launcher
from .unprivileged import unprivileged_launcher

pytestmark = pytest.mark.e2e

BACKEND = ("--backend", "127.0.0.1:9")
LISTEN = ("--listen", "127.0.0.1:0")


def refusal(arguments: Sequence[str], launcher: Launcher | None = None) -> tuple[int, str]:
    """Return the exit status and the one line on standard error."""
    process = (launcher or Launcher()).popen(*arguments, stderr=subprocess.PIPE)
    try:
        output, error = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.communicate(timeout=20)
        pytest.fail("the command started")
    assert output == b""
    lines = error.decode().splitlines()
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return process.returncode, lines[0]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--listen"),
        (LISTEN, "--backend"),
        (("--listen", "nonsense", *BACKEND), "nonsense"),
        (("--listen", "127.0.0.1:70000", *BACKEND), "70000"),
        (("--listen", "::1:80", *BACKEND), "::1:80"),
        (("--listen", "unix:", *BACKEND), "unix:"),
        ((*LISTEN, "--backend", "127.0.0.1"), "127.0.0.1"),
        ((*LISTEN, "--backend", "127.0.0.1:0"), "127.0.0.1:0"),
        ((*LISTEN, *BACKEND, "--workers", "0"), "workers"),
        ((*LISTEN, *BACKEND, "--workers", "many"), "workers"),
        ((*LISTEN, *BACKEND, "--idle-timeout", "soon"), "soon"),
        ((*LISTEN, *BACKEND, "--max-connections", "0"), "max-connections"),
        ((*LISTEN, *BACKEND, "--no-such-option"), "--no-such-option"),
        ((*LISTEN, *BACKEND, "stray"), "stray"),
    ],
)
def test_usage_errors(arguments: Sequence[str], named: str) -> None:
    status, line = refusal(arguments)
    assert status == 2
    assert named in line


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:{1}".format(*taken.getsockname())
        status, line = refusal(("--listen", address, *BACKEND))
    assert status == 3
    assert address in line
    assert "in use" in line


def test_an_address_that_is_not_ours() -> None:
    # 192.0.2.0/24 is reserved for documentation: no machine has it.
    status, line = refusal(("--listen", f"192.0.2.1:{free_port()}", *BACKEND))
    assert status == 3
    assert "192.0.2.1" in line


@pytest.mark.parametrize(
    "arguments",
    [("--listen", "nowhere.invalid:8080", *BACKEND), (*LISTEN, "--backend", "nowhere.invalid:80")],
    ids=["listen", "backend"],
)
def test_a_name_that_does_not_resolve(arguments: Sequence[str]) -> None:
    status, line = refusal(arguments)
    assert status == 3
    assert "nowhere.invalid" in line


def test_a_unix_path_in_no_directory() -> None:
    status, line = refusal(("--listen", "unix:/nowhere/at/all", *BACKEND))
    assert status == 3
    assert "/nowhere/at/all" in line


def test_a_privileged_port_without_rights() -> None:
    with unprivileged_launcher() as launcher:
        status, line = refusal(("--listen", "127.0.0.1:80", *BACKEND), launcher)
    assert status == 3
    assert "127.0.0.1:80" in line
    assert "ermission" in line


def test_a_spool_without_a_temporary_directory() -> None:
    mirror = ("--mirror", "tcp://127.0.0.1:9?overflow=spill")
    status, line = refusal((*LISTEN, *BACKEND, *mirror), launcher_without_tmp())
    assert status == 2
    assert "overflow=spill has no directory for its spool" in line
    assert "TMPDIR" in line


def test_a_name_that_one_can_do_without(start_proxy: StartProxy) -> None:
    with Backend() as backend:
        names = ("--backend", "nowhere.invalid:80", "--mirror", "tcp://nowhere.invalid:81")
        proxy = start_proxy(*names, "--backend", backend.address)
        told = [event["problem"].split()[0] for event in proxy.log.all("name_unresolved")]
        assert told == ["nowhere.invalid:80", "nowhere.invalid:81"]
        for _ in range(2):
            with proxy.connect() as client, backend.accept() as accepted:
                accepted.sendall(b"x")
                assert client.recv(1) == b"x"
        status, line = refusal((*LISTEN, "--strict-names", *names, *BACKEND))
        assert status == 3
        assert "nowhere.invalid:80" in line
