"""redis by TLS: at the proxy, behind it, and both."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import StartProxy
from tests.e2e.peers import random_bytes
from tests.e2e.reloading import RoutesFile
from tests.e2e.servers import run, serving
from tests.ports import free_port
from tests.tls.authority import Authority, Pair

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@dataclass
class Redis:
    """A server, and the files that those who talk to it need."""

    plain: int
    tls: int
    authority: str
    client: Pair
    site: Pair


@pytest.fixture(scope="module")
def redis(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Redis]:
    """One that wants a certificate of whoever comes by TLS."""
    directory = tmp_path_factory.mktemp("redis")
    made = Authority(directory)
    client, site = made.issue("proxy.example", file="client"), made.issue("localhost")
    it = Redis(free_port(), free_port(), made.path, client, site)
    argv = [program("redis-server"), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    argv += ["--port", str(it.plain), "--tls-port", str(it.tls), "--tls-auth-clients", "yes"]
    argv += ["--tls-cert-file", site.certificate, "--tls-key-file", site.key]
    argv += ["--tls-ca-cert-file", made.path]
    with serving(argv, it.tls, directory / "log", cwd=directory):
        yield it


@pytest.mark.parametrize(
    ("at_client", "at_backend"), [(True, False), (False, True), (True, True)], ids=str
)
def test_requests(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    redis: Redis,
    tmp_path: Path,
    at_client: bool,
    at_backend: bool,
) -> None:
    listen: dict[str, Any] = {"address": "127.0.0.1:0"}
    backend: dict[str, Any] = {"address": f"127.0.0.1:{redis.plain}"}
    if at_client:
        listen["tls"] = {"certificate": redis.site.certificate, "key": redis.site.key}
    if at_backend:
        shown = {"certificate": redis.client.certificate, "key": redis.client.key}
        tls = {"ca": redis.authority, "name": "localhost", **shown}
        backend = {"address": f"127.0.0.1:{redis.tls}", "tls": tls}
    file = RoutesFile(tmp_path / "routes.yaml", {"workers": 1})
    file.write({"name": "main", "listen": listen, "backends": [backend]})
    proxy = file.start(start_proxy)

    whom = ["-p", str(proxy.port)]
    if at_client:
        whom += ["--tls", "--cacert", redis.authority, "--sni", "localhost"]
    argv = [program("redis-benchmark"), *whom, "--csv", "-n", "5000", "-c", "30", "-r", "1000"]
    for options in (["-t", "set,get,lrange_100", "-d", "700"], ["-t", "set,get", "-P", "32"]):
        told = run([*argv, *options])
        assert "rror" not in told
        rates = {row["test"]: float(row["rps"]) for row in csv.DictReader(told.splitlines())}
        assert min(rates.values()) > 0

    value = random_bytes(3 << 20).hex()  # comes out as it went in, and is there without the proxy
    cli = program("redis-cli")
    assert run([cli, *whom, "-x", "SET", "large"], input=value).strip() == "OK"
    assert run([cli, *whom, "GET", "large"]).strip() == value
    assert run([cli, "-p", str(redis.plain), "GET", "large"]).strip() == value
    lines = proxy.log.wait("connection", 60)
    assert {line["tls"] is not None for line in lines} == {at_client}


def test_a_server_that_wants_a_certificate_gets_none(
    start_proxy: StartProxy, program: Callable[[str], str], redis: Redis, tmp_path: Path
) -> None:
    """With TLS 1.3 it says so behind the handshake, when the proxy may have sent something."""
    backend = f"tls://127.0.0.1:{redis.tls}?ca={redis.authority}&name=localhost"
    proxy = start_proxy("--backend", backend, "--workers", "1")
    with pytest.raises(pytest.fail.Exception, match=r"reset by peer|closed the connection"):
        run([program("redis-cli"), "-p", str(proxy.port), "PING"])
    (line,) = proxy.log.wait("connection")
    # The alert, unless the reset that the server sends behind it has overtaken it.
    assert line["reason"] in {"backend_tls_broken", "backend_reset"}
