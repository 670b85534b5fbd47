"""A shadow redis-server that gets what the primary gets, and holds the same in the end."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.tls.authority import Authority

from .conftest import StartProxy
from .processes import wait_until
from .servers import run, serving

pytestmark = pytest.mark.e2e


@pytest.fixture
def servers(program: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Run two redis-servers; yields their ports."""
    with ExitStack() as stack:
        ports = []
        for name in ("primary", "shadow"):
            directory, port = tmp_path / name, free_port()
            directory.mkdir()
            argv = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
            argv += ["--save", "", "--appendonly", "no"]
            ports.append(stack.enter_context(serving(argv, port, directory / "log", cwd=directory)))
        yield ports[0], ports[1]


def held_by(cli: str, port: int) -> tuple[int, str]:
    """How many keys, and a checksum of all keys and values in the keys' order."""
    keys = sorted(run([cli, "-p", str(port), "--raw", "KEYS", "*"]).split())
    values = run([cli, "-p", str(port), "--raw"], input=f"MGET {' '.join(keys)}\n") if keys else ""
    digest = hashlib.sha256("\n".join([*keys, values]).encode()).hexdigest()
    return int(run([cli, "-p", str(port), "DBSIZE"])), digest


def test_a_shadow_by_tls_that_asks_for_a_certificate(
    start_proxy: StartProxy, program: Callable[[str], str], authority: Authority, tmp_path: Path
) -> None:
    own, client = authority.issue("localhost"), authority.issue("proxy.example", file="client")
    cli, by_tls, primary, shadow = program("redis-cli"), free_port(), free_port(), free_port()
    argv = [program("redis-server"), "--bind", "127.0.0.1", "--save", "", "--port"]
    secured = ["--tls-port", str(by_tls), "--tls-cert-file", own.certificate]
    secured += ["--tls-key-file", own.key, "--tls-ca-cert-file", authority.path]
    files = f"ca={authority.path}&certificate={client.certificate}&key={client.key}"
    with (
        serving([*argv, str(primary)], primary, tmp_path / "primary.log", cwd=tmp_path),
        serving([*argv, str(shadow), *secured], by_tls, tmp_path / "shadow.log", cwd=tmp_path),
    ):
        proxy = start_proxy(
            *("--backend", f"127.0.0.1:{primary}"),
            *("--mirror", f"tls://localhost:{by_tls}?overflow=spill&{files}"),
        )
        load = ["-p", str(proxy.port), "-c", "20", "-r", "5000", "-n", "20000", "-q"]
        run([program("redis-benchmark"), *load, "INCR", "counter:__rand_int__"])
        wait_until(lambda: held_by(cli, shadow) == held_by(cli, primary), 30, "both hold the same")
        assert held_by(cli, shadow)[0] > 4000


@pytest.mark.parametrize("mode", ["on", "off"])
@pytest.mark.parametrize("pipeline", ["1", "16"])
def test_primary_and_shadow_hold_the_same(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    servers: tuple[int, int],
    mode: str,
    pipeline: str,
) -> None:
    primary, shadow = servers
    cli, benchmark = program("redis-cli"), program("redis-benchmark")
    proxy = start_proxy(
        *("--backend", f"127.0.0.1:{primary}", "--splice", mode),
        *("--mirror", f"tcp://127.0.0.1:{shadow}?overflow=spill"),
    )
    # Counters show a request that is lost or doubled, random values one that comes out of order.
    command = ["SET", "key:__rand_int__", "value:__rand_int__:" + 100 * "x"]
    counting = ["INCR", "counter:__rand_int__"]
    load = ["-p", str(proxy.port), "-c", "20", "-r", "5000", "-P", pipeline, "-q"]
    run([benchmark, *load, "-n", "20000", *counting])
    # One connection: with several, two servers may see writes of one key in different orders.
    run([benchmark, *load, "-c", "1", "-n", "5000", *command])
    wait_until(lambda: ends_complete(proxy.log.all("connection")), 30, "the mirrors' ends")
    count, digest = held_by(cli, primary)
    assert count > 5000
    assert held_by(cli, shadow) == (count, digest)
    accounts = [line["mirrors"][0] for line in proxy.log.all("connection")]
    assert {account["state"] for account in accounts} == {"complete"}
    assert {account["dropped_bytes"] for account in accounts} == {0}


def ends_complete(lines: list[dict[str, object]]) -> bool:
    """All connections of both runs have been told of (redis-benchmark opens one for CONFIG)."""
    return len(lines) >= 21
