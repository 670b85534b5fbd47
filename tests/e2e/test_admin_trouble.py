"""What clients of the admin interface, and its end, do to the traffic: nothing."""

import os
import random
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from spliceproxy.cli.admin_client import AdminClient
from spliceproxy.errors import AskingProblem
from spliceproxy.settings.address import TcpAddress
from tests.ports import free_port

from .administered import Administered
from .conftest import StartProxy
from .load import EchoLoad, echo_server, exchange
from .processes import wait_until
from .proxy_command import Launcher
from .reloading import RoutesFile, route

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SEED = 20_260
TOKEN = "0123456789abcdef"
HEADS = (
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /api/connections/close HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n",
    b'POST /api/backends/set HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"a":[[[[',
    b"GET /api/connections?limit=-1&client=%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
)


@pytest.fixture
def echo() -> Iterator[str]:
    with echo_server() as address:
        yield address


def garbage(random_source: random.Random) -> bytes:
    """Something that no client should send; half of it begins well."""
    spoiled = bytearray(random_source.choice(HEADS))
    for _ in range(random_source.randrange(8)):
        spoiled[random_source.randrange(len(spoiled))] = random_source.randrange(256)
    if random_source.random() < 0.3:
        spoiled += random_source.randbytes(random_source.randrange(100_000))
    if random_source.random() < 0.2:
        return random_source.randbytes(random_source.randrange(1, 2000))
    return bytes(spoiled[: random_source.randrange(1, len(spoiled) + 1)])


def send_garbage(path: Path, sent: bytes, *, reads: bool) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while reads and client.recv(1 << 16):
                pass
        except ConnectionError:  # it has heard enough
            return


def test_garbage_and_stalling_clients_disturb_nothing(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    admin = Administered(tmp_path / "admin")
    proxy = start_proxy("--backend", echo, "--workers", "2", "--admin", f"unix:{admin.path}")
    admin.wait()
    random_source = random.Random(SEED)
    with ExitStack() as stack, EchoLoad(proxy.port) as load:
        for number in range(40):  # fewer than may be connected at once
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(admin.path))
            client.sendall((b"", b"GET / HT", HEADS[0])[number % 3])
        for number in range(300):
            send_garbage(admin.path, garbage(random_source), reads=number % 3 > 0)
        load.complete_more(100)
        completed = load.completed
        assert admin.route("default")["accepted"] >= completed
    assert load.failures == {}
    assert proxy.log.all("admin_exited") == []
    assert proxy.log.all("internal_error") == []
    assert len(proxy.workers()) == 2


def test_a_killed_admin_process_comes_back_and_knows_everything(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    admin = Administered(tmp_path / "admin")
    file = RoutesFile(tmp_path / "routes.yaml")
    file.write(route("127.0.0.1:0", echo), admin=f"unix:{admin.path}")
    proxy = file.start(start_proxy)
    proxy.expected_errors.add("admin_exited")
    admin.wait()
    admin.ctl("backend", "main", echo, "--weight", "9")
    admin.ctl("log", "debug")
    with EchoLoad(proxy.port) as load, proxy.connect() as held:
        exchange(held)
        load.complete_more(20)
        before = admin.route()
        os.kill(proxy.log.all("admin_started")[-1]["pid"], signal.SIGKILL)
        proxy.log.wait("admin_started", 2)
        admin.wait()
        load.complete_more(20)
        after = admin.route()
        assert after["accepted"] > before["accepted"]
        assert after["request_bytes"] > before["request_bytes"]
        assert after["backends"][0]["weight"] == 9
        assert admin.status()["log_level"] == "debug"
        name = "{}:{}".format(*held.getsockname())
        found = admin.ctl("connections", "--client", "127.0.0.1", "--limit", "1000")
        assert found["silent"] == []
        assert name in [one["client"] for one in found["found"]]
        exchange(held)
    assert load.failures == {}


def test_another_address_than_loopback_needs_a_token(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    port = free_port()
    listening = ("--backend", echo, "--listen", "127.0.0.1:0", "--admin", f"0.0.0.0:{port}")
    with (tmp_path / "stderr").open("wb") as complaint:
        refused = Launcher().popen(*listening, stderr=complaint.fileno())
        assert refused.wait(20) == 2
        assert refused.stdout is not None
        refused.stdout.close()
    assert "can be reached from elsewhere; expected a token" in (tmp_path / "stderr").read_text()
    start_proxy(*listening, "--admin-token", TOKEN)
    address = TcpAddress("127.0.0.1", port)
    wait_until(lambda: answers(AdminClient(address, TOKEN)), 20, "the admin interface answers")
    for wrong in (None, "0123456789abcdeX"):
        with pytest.raises(AskingProblem, match="token"):
            AdminClient(address, wrong).get("/api/status")
        with pytest.raises(AskingProblem, match="token"):
            AdminClient(address, wrong).post("/api/drain")


def answers(client: AdminClient) -> bool:
    try:
        return bool(client.get("/api/status"))
    except AskingProblem:
        return False


@pytest.mark.parametrize(
    "headers",
    [
        ("Sec-Fetch-Site: cross-site", "Content-Type: application/json"),
        ("Origin: http://evil.example", "Content-Type: application/json"),
        ("Content-Type: text/plain",),
    ],
)
def test_requests_of_other_sites_are_refused(
    start_proxy: StartProxy, echo: str, tmp_path: Path, headers: tuple[str, ...]
) -> None:
    admin = Administered(tmp_path / "admin")
    proxy = start_proxy("--backend", echo, "--admin", f"unix:{admin.path}")
    admin.wait()
    arguments = [word for header in headers for word in ("-H", header)]
    answer = admin.curl("-X", "POST", *arguments, "-d", "{}", "http://localhost/api/drain")
    assert '"error"' in answer
    assert proxy.log.all("draining") == []
    assert admin.status()["draining"] is False
