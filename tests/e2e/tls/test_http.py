"""curl and h2load in front, by protocols that TLS agrees on; nginx behind, by TLS or without."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import StartProxy
from tests.e2e.nginx import nginx_with
from tests.e2e.peers import random_bytes, sha256
from tests.e2e.proxy_command import ProxyCommand
from tests.e2e.reloading import RoutesFile
from tests.e2e.servers import run
from tests.ports import free_port
from tests.tls.certificates import authority, certificate

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HTTP = """
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{h2c} http2;
        listen 127.0.0.1:{tls} ssl http2;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        root {root};
        client_max_body_size 100m;
        location = /alpn {{ return 200 "$server_protocol,$ssl_alpn_protocol"; }}
        location /kept/ {{ dav_methods PUT; }}
    }}
"""
REQUESTS = 3000
# curl 7.88 says no goodbye by HTTP/2, and nginx none to whoever has said it first: both
# are told of as what they are, behind all bytes.
ENDS = {"closed", "client_tls_truncated", "backend_tls_truncated"}


@dataclass
class Origin:
    """The ports of a server, and where its files are."""

    plain: int
    h2c: int
    tls: int
    root: Path


@pytest.fixture(scope="module")
def origin(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Origin]:
    directory = tmp_path_factory.mktemp("nginx")
    it = Origin(free_port(), free_port(), free_port(), directory / "root")
    (it.root / "kept").mkdir(parents=True)
    (it.root / "small").write_bytes(random_bytes(1000))
    (it.root / "large").write_bytes(random_bytes(10 << 20))
    http = HTTP.format(**vars(it), certificate=certificate())
    with nginx_with(program("nginx"), directory, it.tls, http=http):
        yield it


def start(
    start_proxy: StartProxy, directory: Path, protocols: list[str], port: int, *, by_tls: bool
) -> ProxyCommand:
    backend: dict[str, object] = {"address": f"127.0.0.1:{port}"}
    if by_tls:
        backend["tls"] = {"ca": authority(), "name": "localhost", "alpn": protocols}
    tls = {"certificate": certificate(), "alpn": protocols}
    file = RoutesFile(directory / "routes.yaml", {"workers": 1})
    listen = {"address": "127.0.0.1:0", "tls": tls}
    file.write({"name": "main", "listen": listen, "backends": [backend]})
    return file.start(start_proxy)


def curl(program: Callable[[str], str], proxy: ProxyCommand, path: str, *options: str) -> str:
    argv = [program("curl"), "--silent", "--show-error", "--fail", "--cacert", authority()]
    argv += ["--resolve", f"localhost:{proxy.port}:127.0.0.1", *options]
    return run([*argv, f"https://localhost:{proxy.port}{path}"])


@pytest.mark.parametrize("by_tls", [False, True])
@pytest.mark.parametrize(
    ("offered", "option", "agreed", "said"),
    [
        (["h2"], "--http2", "h2", "HTTP/2.0"),
        (["http/1.1"], "--http2", "http/1.1", "HTTP/1.1"),
        (["http/1.1"], "--http1.1", "http/1.1", "HTTP/1.1"),
        (["http/1.1"], "--no-alpn", None, "HTTP/1.1"),
    ],
)
def test_curl(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    origin: Origin,
    tmp_path: Path,
    by_tls: bool,
    offered: list[str],
    option: str,
    agreed: str | None,
    said: str,
) -> None:
    plain = origin.h2c if "h2" in offered else origin.plain
    port = origin.tls if by_tls else plain
    proxy = start(start_proxy, tmp_path, offered, port, by_tls=by_tls)
    behind = offered[0] if by_tls else ""
    assert curl(program, proxy, "/alpn", option) == f"{said},{behind}"
    large = origin.root / "large"
    curl(program, proxy, "/large", option, "--output", str(tmp_path / "copy"))
    assert sha256((tmp_path / "copy").read_bytes()) == sha256(large.read_bytes())
    kept = f"/kept/{tmp_path.name}"
    curl(program, proxy, kept, option, "--upload-file", str(large))
    assert sha256((origin.root / kept[1:]).read_bytes()) == sha256(large.read_bytes())
    lines = proxy.log.wait("connection", 3)
    assert {line["reason"] for line in lines} <= ENDS
    assert {line["tls"].get("alpn") for line in lines} == {agreed}


@pytest.mark.parametrize("by_tls", [False, True])
@pytest.mark.parametrize("options", [[], ["--h1"]])
def test_h2load(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    origin: Origin,
    tmp_path: Path,
    by_tls: bool,
    options: list[str],
) -> None:
    protocol = "http/1.1" if options else "h2"
    plain = origin.plain if options else origin.h2c
    port = origin.tls if by_tls else plain
    proxy = start(start_proxy, tmp_path, [protocol], port, by_tls=by_tls)
    argv = [program("h2load"), "--requests", str(REQUESTS), "--clients", "30", *options]
    argv += [] if options else ["--max-concurrent-streams", "10"]
    told = run([*argv, f"https://localhost:{proxy.port}/small"])
    assert f"Application protocol: {protocol}" in told
    (line,) = re.findall(r"^requests: .*", told, re.MULTILINE)
    assert line == (
        f"requests: {REQUESTS} total, {REQUESTS} started, {REQUESTS} done, "
        f"{REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout"
    )
    assert f"status codes: {REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx" in told
    lines = proxy.log.wait("connection", 30)
    assert {line["reason"] for line in lines} <= ENDS
    assert {line["tls"]["alpn"] for line in lines} == {protocol}
