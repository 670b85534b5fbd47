"""Two hundred reloads under load: not one connection fails, and one download outlives them all."""

import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event

import pytest

from tests.ports import free_port
from tools.demo.traffic import expected_sha256

from .conftest import StartProxy
from .nginx import nginx
from .notify import NotifySocket
from .peers import random_bytes
from .processes import cpu_with_ended_children_s, descriptors, resident_bytes, wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile
from .servers import run, serving

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.alone("its load takes all processors"),
]

RELOADS = 200
RELOADS_BUDGET_S = 80
"""Of the processor, for the load that passes meanwhile, too: others may take their part of it."""
ANSWER_BYTES = 96 << 20
SEED = 11
MOST_GROWTH_BYTES = 16 << 20
"""Of the master: 80 KiB a reload would be a leak."""
PIECE_BYTES = 64 << 10
PAUSE_S = 0.1
"""So slowly is the long download read while reloads go on: its buffers hold less than all."""


@dataclass(frozen=True)
class Ports:
    """Where each route listens, and what is behind it."""

    web: int
    redis: int
    bulk: int


@pytest.fixture
def servers(program: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[int, int]]:
    """nginx and redis-server: their ports."""
    redis_port = free_port()
    argv = [program("redis-server"), "--port", str(redis_port), "--bind", "127.0.0.1"]
    (tmp_path / "nginx").mkdir()
    with (
        nginx(program("nginx"), tmp_path / "nginx") as (web_port, root),
        serving([*argv, "--save", "", "--appendonly", "no"], redis_port, tmp_path / "redis"),
    ):
        (root / "small").write_bytes(random_bytes(100))
        yield web_port, redis_port


def write(
    routes_file: RoutesFile, ports: Ports, servers: tuple[int, int], origin: str, turn: int
) -> None:
    """Write the file of one turn: listeners and routes come and go, three of them stay."""
    copies = routes_file.path.parent / "copies"
    mirror = {"to": f"file:{copies}", "direction": "response", "overflow": "block"}
    web = {
        "name": "web",
        "listen": [f"127.0.0.1:{ports.web}", f"unix:{routes_file.path.parent}/web{turn % 3}"],
        "backends": [f"127.0.0.1:{servers[0]}"],
        "backlog": 4096 - turn % 2,
    }
    redis = {
        "name": "redis",
        "listen": f"127.0.0.1:{ports.redis}",
        "backends": [f"127.0.0.1:{servers[1]}"],
    }
    bulk = {
        "name": "bulk",
        "listen": f"127.0.0.1:{ports.bulk}",
        "backends": [origin],
        "mirrors": [mirror],
    }
    passing = {"name": f"turn{turn}", "listen": "127.0.0.1:0", "backends": [origin]}
    routes_file.write(
        web,
        redis,
        bulk,
        *[passing] * (turn % 2),
        log={"level": "warning" if turn else "info"},
        max_generations=RELOADS,  # the download is in the oldest
    )


def download(port: int, all_done: Event) -> str:
    """Read slowly until all reloads are over, then the rest at once."""
    digest, left = sha256(), ANSWER_BYTES
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(f"GET {ANSWER_BYTES} {SEED}\n".encode())
        while left:
            received = client.recv(min(left, PIECE_BYTES))
            assert received, f"the end came {left} bytes early"
            digest.update(received)
            left -= len(received)
            all_done.wait(PAUSE_S)
    return digest.hexdigest()


def browse(wrk: str, port: int, all_done: Event) -> int:
    """Make short connections; returns how many rounds without a failure."""
    argv = [wrk, "--threads", "1", "--connections", "16", "--duration", "3s", "--timeout", "20s"]
    argv += ["--header", "Connection: close", f"http://127.0.0.1:{port}/small"]
    rounds = 0
    while not all_done.is_set():
        output = run(argv)
        assert "Socket errors" not in output, output
        assert "Non-2xx" not in output, output
        rounds += 1
    return rounds


def ask(redis_benchmark: str, port: int, keep: int, all_done: Event) -> int:
    """Send requests, on kept connections or on one each; returns how many rounds."""
    argv = [redis_benchmark, "-p", str(port), "-c", "16", "-k", str(keep), "-t", "get,set"]
    rounds = 0
    while not all_done.is_set():
        output = run([*argv, "-n", "4000", "--csv"])
        assert "rror" not in output, output
        rounds += 1
    return rounds


def reload_again_and_again(
    proxy: ProxyCommand, manager: NotifySocket, write_turn: Callable[[int], None], all_done: Event
) -> float:
    """Reload; returns how much processor time the master and those that have ended took."""
    started_s = cpu_with_ended_children_s(proxy.pid)
    try:
        for turn in range(1, RELOADS + 1):
            write_turn(turn)
            proxy.process.send_signal(signal.SIGHUP)
            manager.wait("RELOADING")
            assert f"generation {turn + 1}:" in manager.wait("READY")["STATUS"]
    finally:
        all_done.set()
    return cpu_with_ended_children_s(proxy.pid) - started_s


@pytest.mark.timeout(180)
def test_two_hundred_reloads_under_load(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    servers: tuple[int, int],
    origin: str,
    tmp_path: Path,
) -> None:
    routes_file = RoutesFile(tmp_path / "routes.yaml")
    ports = Ports(free_port(), free_port(), free_port())

    def write_turn(turn: int) -> None:
        write(routes_file, ports, servers, origin, turn)

    write_turn(0)
    all_done = Event()
    with NotifySocket(f"{tmp_path}/notify") as manager, ThreadPoolExecutor(5) as threads:
        proxy = start_proxy("--config", str(routes_file.path), launcher=manager.launcher())
        manager.wait("READY")
        masters, resident = descriptors(proxy.pid), resident_bytes(proxy.pid)
        loads = [
            threads.submit(browse, program("wrk"), ports.web, all_done),
            threads.submit(ask, program("redis-benchmark"), ports.redis, 0, all_done),
            threads.submit(ask, program("redis-benchmark"), ports.redis, 1, all_done),
        ]
        answer = threads.submit(download, ports.bulk, all_done)
        took_s = reload_again_and_again(proxy, manager, write_turn, all_done)
        assert not answer.done()
        assert min(load.result(60) for load in loads) > 0
        assert answer.result(60) == expected_sha256(ANSWER_BYTES, SEED)
    assert took_s < RELOADS_BUDGET_S
    wait_until(lambda: len(proxy.workers()) == 2, 20, "the older generations have ended")
    assert descriptors(proxy.pid) == masters
    assert resident_bytes(proxy.pid) < resident + MOST_GROWTH_BYTES
    [copy] = (tmp_path / "copies").glob("*/*-response")
    assert sha256(copy.read_bytes()).hexdigest() == expected_sha256(ANSWER_BYTES, SEED)
    assert proxy.log.all("unfinished_files") == []
    assert proxy.log.all("connect_failed") == []
