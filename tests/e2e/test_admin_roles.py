"""Who may do what to a running proxy, and what of it the log tells."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from spliceproxy.cli.admin_client import AdminClient
from spliceproxy.errors import AskingProblem
from spliceproxy.settings.address import TcpAddress
from tests.ports import free_port

from .administered import Administered
from .conftest import StartProxy
from .load import echo_server
from .processes import wait_until
from .proxy_command import Launcher
from .reloading import RoutesFile, route
from .unprivileged import USER, unprivileged_launcher

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TOKEN, VIEWER_TOKEN = "0123456789abcdef", "fedcba9876543210"
RUNS_A_COMMAND = "exec:id>{}?shell=yes"
as_root = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/usr/bin/python3").exists(),
    reason="needs root, to be another user, and a Python that every user may run",
)


@pytest.fixture
def echo() -> Iterator[str]:
    with echo_server() as address:
        yield address


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """One that every user may enter."""
    for each in (tmp_path, *tmp_path.parents[:3]):
        each.chmod(each.stat().st_mode | 0o755)
    return tmp_path


def ask_as(uid: int, path: Path, method: str, target: str, *groups: int) -> tuple[int, Any]:
    """Ask as another user; returns the status and the answer."""
    script = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "s.connect(sys.argv[1])\n"
        "s.sendall(sys.argv[2].encode())\n"
        "while data := s.recv(65536): sys.stdout.buffer.write(data)\n"
    )
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    body = "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    done = subprocess.run(
        [
            "/usr/bin/python3",
            "-c",
            script,
            str(path),
            head + (body if method == "POST" else "\r\n"),
        ],
        capture_output=True,
        timeout=30,
        check=True,
        user=uid,
        group=uid,
        extra_groups=groups,
    )
    answer_head, _, answer = done.stdout.partition(b"\r\n\r\n")
    return int(answer_head.split()[1]), json.loads(answer)


@as_root
def test_a_unix_socket_knows_its_operators(
    start_proxy: StartProxy, echo: str, directory: Path
) -> None:
    admin = Administered(directory / "admin")
    file = RoutesFile(directory / "routes.yaml")
    where = {"address": f"unix:{admin.path}", "mode": "0666"}
    operators = ["4001", "group:4050"]
    file.write(route("127.0.0.1:0", echo), admin={"listen": where, "operators": operators})
    proxy = file.start(start_proxy)
    admin.wait()
    assert ask_as(4000, admin.path, "GET", "/api/status")[0] == 200
    status, answer = ask_as(4000, admin.path, "POST", "/api/drain")
    assert status == 403
    assert "uid 4000 may look, but give no orders: name it in `operators`" in answer["error"]
    for uid, groups in ((4001, ()), (4002, (4050,)), (0, ())):
        status, answer = ask_as(uid, admin.path, "POST", "/api/connections/close", *groups)
        assert (status, answer["error"][:19]) == (400, "nothing is selected")
    assert admin.status()["draining"] is False
    refused = proxy.log.wait("admin_order_refused", 4)
    assert refused[0]["asker"].startswith("uid=4000 ")


def test_by_tcp_viewers_look_and_operators_order(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    port, mark = free_port(), tmp_path / "mark"
    options = ("--admin", f"127.0.0.1:{port}")
    tokens = ("--admin-token", TOKEN, "--admin-viewer-token", VIEWER_TOKEN)
    proxy = start_proxy("--backend", echo, *options, *tokens)
    address = TcpAddress("127.0.0.1", port)
    viewer, operator = AdminClient(address, VIEWER_TOKEN), AdminClient(address, TOKEN)
    wait_until(lambda: answers(viewer), 20, "the admin interface answers")
    assert viewer.get("/api/connections") == {"found": [], "silent": []}
    operator.post("/api/log", level="error")
    attached = {"route": "default", "to": RUNS_A_COMMAND.format(mark)}
    with pytest.raises(AskingProblem, match="the viewer's token gives no orders"):
        viewer.post("/api/mirrors/attach", **attached)
    with pytest.raises(AskingProblem, match="not granted: add exec to `attach` of `admin`"):
        operator.post("/api/mirrors/attach", **attached)
    for _ in range(2):
        with pytest.raises(AskingProblem, match="the token is wrong"):
            AdminClient(address, "wrong" * 4).get("/api/status")
    with proxy.connect() as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    assert not mark.exists()
    assert [order["path"] for order in proxy.log.wait("admin_order", 2)] == [
        "/api/log",
        "/api/mirrors/attach",
    ]
    assert len(proxy.log.wait("admin_order_refused", 2)) == 2
    assert len(proxy.log.wait("admin_token_refused", 2)) == 2


def answers(client: AdminClient) -> bool:
    try:
        return bool(client.get("/api/status"))
    except AskingProblem:
        return False


def test_without_a_token_root_does_not_serve_by_tcp(echo: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    listening = ("--backend", echo, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    process = Launcher().popen(*listening, stderr=subprocess.PIPE)
    _, complaint = process.communicate(timeout=20)
    assert process.returncode == 3
    [line] = complaint.decode().splitlines()
    assert "127.0.0.1:0 needs a token" in line
    assert "SPLICEPROXY_ADMIN_TOKEN" in line
    assert "unix:PATH" in line
    assert "--admin-insecure" in line


@pytest.mark.parametrize("as_nobody", [True, False], ids=["as nobody", "insecure"])
def test_without_a_token_nobody_gives_orders_by_tcp(
    start_proxy: StartProxy, echo: str, as_nobody: bool
) -> None:
    port = free_port()
    options = ["--backend", echo, "--admin", f"127.0.0.1:{port}", "--admin-attach", "exec"]
    with ExitStack() as stack:
        launcher = stack.enter_context(unprivileged_launcher()) if as_nobody else None
        more = [] if as_nobody else ["--admin-insecure"]
        proxy = start_proxy(*options, *more, launcher=launcher)
        client = AdminClient(TcpAddress("127.0.0.1", port), None)
        wait_until(lambda: answers(client), 20, "the admin interface answers")
        for order in ("/api/drain", "/api/mirrors/attach", "/api/reload"):
            with pytest.raises(AskingProblem, match="nobody may give orders by this address"):
                client.post(order)
        assert client.get("/api/status")["draining"] is False
        assert len(proxy.log.wait("admin_order_refused", 3)) == 3
        assert USER


def test_the_last_order_is_in_the_log(start_proxy: StartProxy, echo: str, tmp_path: Path) -> None:
    for number in range(3):
        admin = Administered(tmp_path / f"admin{number}")
        proxy = start_proxy("--backend", echo, "--admin", f"unix:{admin.path}")
        admin.wait()
        admin.client.post("/api/log", level="error")
        assert admin.client.post("/api/drain") == {"draining": True}
        assert proxy.wait_exit() == 0
        proxy.log.join(20)
        [_, order] = proxy.log.all("admin_order")
        assert (order["path"], order["asker"][:4]) == ("/api/drain", "uid=")


def test_what_a_body_holds_is_one_short_line(
    start_proxy: StartProxy, echo: str, tmp_path: Path
) -> None:
    admin = Administered(tmp_path / "admin")
    proxy = start_proxy("--backend", echo, "--admin", f"unix:{admin.path}")
    admin.wait()
    forged = '\n{"level": "info", "event": "drained"}\r\n\x1b[2J\u2028' + "x" * 50_000
    with pytest.raises(AskingProblem, match="is no level"):
        admin.client.post("/api/log", level=forged)
    with pytest.raises(AskingProblem, match="there is no backend"):
        admin.client.post("/api/backends/set", route="default", backend=forged, state="up")
    assert len(proxy.log.wait("admin_order_refused", 2)) == 2
    for line in proxy.log.all("admin_order") + proxy.log.all("admin_order_refused"):
        assert len(json.dumps(line)) < 1500
    assert proxy.log.all("drained") == []
    assert proxy.log.unreadable == []


def test_strangers_who_stall_at_a_port_do_not_hold_up_health(
    start_proxy: StartProxy, echo: str
) -> None:
    port = free_port()
    start_proxy("--backend", echo, "--admin", f"127.0.0.1:{port}", "--admin-token", TOKEN)
    client = AdminClient(TcpAddress("127.0.0.1", port), TOKEN)
    wait_until(lambda: answers(client), 20, "the admin interface answers")
    with ExitStack() as stack:
        for number in range(100):
            stalling = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            stalling.sendall((b"", b"GET /livez HT")[number % 2])
        for path in ("/livez", "/readyz"):
            with socket.create_connection(("127.0.0.1", port), timeout=4) as monitor:
                monitor.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                assert monitor.recv(100).startswith(b"HTTP/1.1 200")
        assert answers(client)
