"""Names in real hellos, of openssl and curl, lead to servers with different certificates."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .proxy_command import ProxyCommand
from .servers import run, serving

pytestmark = pytest.mark.e2e

NAMES = ("default.example", "web.example", "api.example")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each name has a directory, with its certificate and a page that tells who it is."""
    return tmp_path_factory.mktemp("names")


@pytest.fixture(scope="module")
def servers(program: Callable[[str], str], certificates: Path) -> Iterator[dict[str, int]]:
    """A TLS server for each name."""
    openssl = program("openssl")
    with ExitStack() as running:
        ports = {}
        for name in NAMES:
            directory = certificates / name
            directory.mkdir()
            argv = [openssl, "req", "-x509", "-newkey", "ec", "-nodes", "-subj", f"/CN={name}"]
            argv += ["-pkeyopt", "ec_paramgen_curve:P-256", "-addext", f"subjectAltName=DNS:{name}"]
            run([*argv, "-keyout", f"{directory}/key.pem", "-out", f"{directory}/certificate.pem"])
            (directory / "who").write_text(f"HTTP/1.0 200 OK\r\n\r\n{name}")
            port = ports[name] = free_port()
            argv = [openssl, "s_server", "-quiet", "-HTTP", "-accept", f"127.0.0.1:{port}"]
            argv += ["-cert", "certificate.pem", "-key", "key.pem", "-alpn", "h2,http/1.1"]
            running.enter_context(serving(argv, port, directory / "log", cwd=directory))
        yield ports


@pytest.fixture
def proxy(start_proxy: StartProxy, servers: dict[str, int], tmp_path: Path) -> ProxyCommand:
    default, web, api = (f"127.0.0.1:{servers[name]}" for name in NAMES)
    path = tmp_path / "routes.yaml"
    path.write_text(
        f"""\
routes:
- name: tls
  listen: 127.0.0.1:0
  backends: {default}
  sni:
  - {{names: web.example, route: web}}
  - {{names: "*.api.example", alpn: h2, route: api}}
- {{name: web, backends: "{web}", mirrors: "file:{tmp_path}/copies?direction=request"}}
- {{name: api, backends: "{api}"}}
"""
    )
    return start_proxy("--config", str(path))


def test_curl(
    proxy: ProxyCommand, program: Callable[[str], str], certificates: Path, tmp_path: Path
) -> None:
    for asked, answers in (("web.example", "web.example"), ("default.example", "default.example")):
        argv = [program("curl"), "--silent", "--show-error", "--fail", "--http1.1"]
        argv += ["--cacert", f"{certificates}/{answers}/certificate.pem"]
        argv += ["--resolve", f"{asked}:{proxy.port}:127.0.0.1"]
        assert run([*argv, f"https://{asked}:{proxy.port}/who"]) == answers
    lines = {line["route"]: line for line in proxy.log.wait("connection", 2)}
    assert lines.keys() == {"tls", "web"}
    copy = next((tmp_path / "copies").glob("*/*-request")).read_bytes()
    assert copy[:3] == b"\x16\x03\x01"
    assert b"web.example" in copy
    assert len(copy) == lines["web"]["request_bytes"]


@pytest.mark.parametrize(
    ("options", "answers"),
    [
        (["-servername", "web.example"], "web.example"),
        (["-servername", "WEB.example"], "web.example"),
        (["-servername", "v1.api.example"], "api.example"),
        (["-servername", "elsewhere.example", "-alpn", "h2"], "api.example"),
        (["-servername", "elsewhere.example", "-alpn", "http/1.1"], "default.example"),
        (["-noservername"], "default.example"),
        (["-servername", "web.example", "-tls1_2"], "web.example"),
        (["-servername", "web.example", "-groups", "P-521:X25519:P-256"], "web.example"),
    ],
)
def test_openssl(
    options: list[str], answers: str, proxy: ProxyCommand, program: Callable[[str], str]
) -> None:
    argv = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{proxy.port}", *options]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert f"subject=CN = {answers}".encode() in done.stdout
