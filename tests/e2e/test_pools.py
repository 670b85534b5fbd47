"""Pools of real servers: one is killed, one is full, one wants to know the client."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .processes import wait_until
from .proxy_command import ProxyCommand
from .redis_pool import RedisServer, redis_servers
from .reloading import RoutesFile, reload
from .servers import run, serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PING_CHECK = {"send": "PING\r\n", "expect": "+PONG", "interval": "100ms", "fall": 2}
CLIENTS = 8


@pytest.fixture
def redis(program: Callable[[str], str], tmp_path: Path) -> Iterator[list[RedisServer]]:
    with redis_servers(program, tmp_path, 3) as servers:
        yield servers


def start(
    start_proxy: StartProxy, tmp_path: Path, backends: list[object], **route: object
) -> ProxyCommand:
    file = RoutesFile(tmp_path / "routes.yaml")
    file.write({"name": "pool", "listen": "127.0.0.1:0", "backends": backends, **route})
    return file.start(start_proxy)


def ping(proxy: ProxyCommand) -> bool:
    """Whether a connection of its own gets an answer."""
    with suppress(OSError), proxy.connect() as client:
        client.sendall(b"PING\r\n")
        return client.recv(100).startswith(b"+PONG")
    return False


def ping_until(proxy: ProxyCommand, stopped: Event) -> Counter[bool]:
    answers: Counter[bool] = Counter()
    while not stopped.is_set():
        answers[ping(proxy)] += 1
    return answers


def test_a_backend_is_killed_under_load(
    start_proxy: StartProxy, redis: list[RedisServer], tmp_path: Path
) -> None:
    """Who was connected to it loses an answer; nobody else notices, and it comes back."""
    proxy = start(
        start_proxy,
        tmp_path,
        [server.address for server in redis],
        balance="least_connections",
        health_check=PING_CHECK,
        retries=2,
    )
    stopped = Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(ping_until, proxy, stopped) for _ in range(CLIENTS)]
        try:
            wait_until(lambda: len(proxy.log.all("connection")) > 200, 20, "some traffic")
            redis[0].kill()
            proxy.log.wait("backend_down")
            wait_until(lambda: len(proxy.log.all("connection")) > 1000, 20, "more traffic")
            redis[0].start_again()
            proxy.log.wait("backend_up")
        finally:
            stopped.set()
        answers = sum((client.result(20) for client in clients), Counter[bool]())
    assert answers[False] <= CLIENTS
    assert answers[True] > 500
    used = {line["backend"] for line in proxy.log.all("connection") if line["reason"] == "closed"}
    assert used == {server.address for server in redis}


def test_workers_share_what_one_of_them_finds(
    start_proxy: StartProxy, redis: list[RedisServer], tmp_path: Path
) -> None:
    file = RoutesFile(tmp_path / "routes.yaml")
    addresses = [server.address for server in redis[:2]]
    pool = {"name": "pool", "listen": "127.0.0.1:0", "backends": addresses}
    file.write({**pool, "health_check": PING_CHECK})
    proxy = file.start(start_proxy)
    redis[0].kill()
    proxy.log.wait("backend_down")

    def failures() -> int:
        """How many of forty connections meet the dead backend."""
        ended = len(proxy.log.all("connection"))
        assert all(ping(proxy) for _ in range(40))
        lines = proxy.log.wait("connection", ended + 40)
        return sum(line["attempts"] > 1 for line in lines[ended:])

    wait_until(lambda: failures() == 0, 10, "both workers to know")
    # A new generation knows it too, before its first check.
    reload(proxy)
    assert failures() == 0
    assert len(proxy.log.all("backend_down")) == 1


def test_live_connections_of_a_backend_that_stands_still_are_closed(
    start_proxy: StartProxy, redis: list[RedisServer], tmp_path: Path
) -> None:
    proxy = start(
        start_proxy,
        tmp_path,
        [redis[0].address],
        health_check={**PING_CHECK, "timeout": "200ms"},
        on_down="close",
    )
    with proxy.connect() as client:
        client.sendall(b"PING\r\n")
        assert client.recv(100) == b"+PONG\r\n"
        redis[0].process.send_signal(signal.SIGSTOP)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert proxy.log.wait("connection")[0]["reason"] == "backend_down"
    assert proxy.log.wait("backend_down")[0]["reason"] == "check failed: check_timeout"


def test_more_clients_than_places(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    redis: list[RedisServer],
    tmp_path: Path,
) -> None:
    backends: list[object] = [{"address": server.address, "max_connections": 2} for server in redis]
    proxy = start(start_proxy, tmp_path, backends, balance="least_connections")
    argv = [program("redis-benchmark"), "-p", str(proxy.port), "-c", "50", "-n", "5000"]
    output = run([*argv, "-k", "0", "-t", "ping_inline", "-q"])
    assert "rror" not in output
    lines = proxy.log.wait("connection", 5000)
    assert {line["reason"] for line in lines} <= {"closed", "backend_reset", "client_reset"}


HAPROXY = """\
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
listen web
  bind 127.0.0.1:{port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[dst_port]\\n"
"""


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_behind_knows_the_client(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path, version: str
) -> None:
    port = free_port()
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(port=port))
    argv = [program("haproxy"), "-db", "-f", str(tmp_path / "haproxy.cfg")]
    with serving(argv, port, tmp_path / "haproxy.log"):
        proxy = start(
            start_proxy,
            tmp_path,
            [{"address": f"127.0.0.1:{port}", "send_proxy": version}],
            health_check={"send": "GET / HTTP/1.0\r\n\r\n", "expect": "HTTP/1", "interval": "50ms"},
        )
        curl = [program("curl"), "--silent", "--show-error", "--fail", "--max-time", "10"]
        url = f"http://127.0.0.1:{proxy.port}/"
        assert run([*curl, "--interface", "127.0.0.9", url]) == f"127.0.0.9 {proxy.port}\n"
        assert proxy.log.all("backend_down") == []
