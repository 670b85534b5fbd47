"""redis-server behind the proxy: small requests and answers by the thousand."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import random_bytes
from .servers import run, serving

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def redis(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Path]]:
    """Run a redis-server; yields its port and its Unix socket."""
    directory = tmp_path_factory.mktemp("redis")
    port, path = free_port(), directory / "redis.sock"
    argv = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    argv += ["--unixsocket", str(path), "--save", "", "--appendonly", "no"]
    with serving(argv, port, directory / "log", cwd=directory):
        yield port, path


def benchmark(program: Callable[[str], str], *arguments: str) -> dict[str, float]:
    """Run redis-benchmark; returns its rate for each kind of request."""
    argv = [program("redis-benchmark"), "--csv", "-n", "10000", "-c", "50", "-r", "1000"]
    output = run([*argv, *arguments])
    assert "rror" not in output
    return {row["test"]: float(row["rps"]) for row in csv.DictReader(output.splitlines())}


@pytest.mark.parametrize("mode", ["on", "off"])
def test_requests_over_tcp(
    start_proxy: StartProxy, program: Callable[[str], str], redis: tuple[int, Path], mode: str
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{redis[0]}", "--splice", mode)
    tests = ("-t", "set,get,lpush,lrange_100", "-d", "700")
    rates = benchmark(program, "-p", str(proxy.port), *tests)
    assert len(rates) >= 4
    assert min(rates.values()) > 0
    assert {line["reason"] for line in proxy.log.wait("connection", 50)} <= {"closed"}


def test_pipelined_requests(
    start_proxy: StartProxy, program: Callable[[str], str], redis: tuple[int, Path]
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{redis[0]}")
    rates = benchmark(program, "-p", str(proxy.port), "-t", "set,get", "-P", "64")
    assert min(rates.values()) > 0


def test_unix_sockets_on_both_sides(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    redis: tuple[int, Path],
    tmp_path: Path,
) -> None:
    front = tmp_path / "front.sock"
    proxy = start_proxy("--listen", f"unix:{front}", "--backend", f"unix:{redis[1]}")
    assert min(benchmark(program, "-s", str(front), "-t", "set,get").values()) > 0
    # A large value goes in through the proxy and comes out both ways the same.
    value = random_bytes(6 << 20).hex()
    cli = program("redis-cli")
    assert run([cli, "-s", str(front), "-x", "SET", "large"], input=value).strip() == "OK"
    assert run([cli, "-s", str(front), "GET", "large"]).strip() == value
    assert run([cli, "-s", str(redis[1]), "GET", "large"]).strip() == value
    assert proxy.log.wait("connection")
