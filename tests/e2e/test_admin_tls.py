"""The admin interface by TLS: `ctl` with certificates, a scrape, a certificate that is renewed."""

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from tests.ports import free_port

from .conftest import StartProxy
from .load import echo_server
from .processes import wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, reload, route
from .servers import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COMMAND = str(Path(sys.executable).with_name("spliceproxy"))


class Pki:
    """An authority, and the files of what it has signed."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self._directory = directory
        self.ca = directory / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def issue(self, name: str, *, to: str | None = None) -> Path:
        path = self._directory / f"{to or name}.pem"
        names = ["localhost", "127.0.0.1"] if name == "server" else [f"{name}.example"]
        issued = self._authority.issue_cert(*names, common_name=name)
        path.touch(mode=0o600)
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


def start(
    start_proxy: StartProxy, tmp_path: Path, pki: Pki, **admin: object
) -> tuple[ProxyCommand, RoutesFile, int]:
    file, port = RoutesFile(tmp_path / "routes.yaml"), free_port()
    tls = {"certificate": str(pki.issue("server")), "client_ca": str(pki.ca)}
    listen = {"address": f"127.0.0.1:{port}", "tls": {**tls, **admin.pop("tls", {})}}  # type: ignore[dict-item]
    with echo_server() as address:
        file.write(route("127.0.0.1:0", address), admin={"listen": [listen], **admin})
        proxy = file.start(start_proxy)
    return proxy, file, port


def ctl(port: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    argv = [COMMAND, "ctl", "--admin", f"https://127.0.0.1:{port}", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=50, check=False)


def serial_of(port: int, pki: Pki, client: Path) -> object:
    context = ssl.create_default_context(cafile=str(pki.ca))
    context.load_cert_chain(client)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as secured,
    ):
        return (secured.getpeercert() or {})["serialNumber"]


def test_certificates_are_roles(start_proxy: StartProxy, tmp_path: Path, pki: Pki) -> None:
    """As root, too, without a token: strangers don't get past the handshake."""
    proxy, _, port = start(start_proxy, tmp_path, pki, certificate_operators={"cn": "alice"})
    ca, alice, bob = ("--admin-ca", pki.ca), pki.issue("alice"), pki.issue("bob")

    assert ctl(port, *ca, "--admin-certificate", bob, "status").returncode == 0
    refused = ctl(port, *ca, "--admin-certificate", bob, "log", "debug")
    assert refused.returncode == 1
    assert "certificate_operators" in refused.stderr
    assert ctl(port, *ca, "--admin-certificate", alice, "log", "debug").returncode == 0
    (order,) = proxy.log.all("admin_order")
    assert str(order["asker"]).endswith(" cn=alice")

    nameless = ctl(port, *ca, "status")
    assert (nameless.returncode, "--admin-certificate" in nameless.stderr) == (1, True)
    unknown = ctl(port, "--admin-certificate", bob, "status")
    assert (unknown.returncode, "--admin-ca" in unknown.stderr) == (1, True)
    plain = subprocess.run(
        [COMMAND, "ctl", "--admin", f"127.0.0.1:{port}", "status"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert plain.returncode == 1


def test_a_scrape_with_a_token(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path, pki: Pki
) -> None:
    token = "a-token-of-a-viewer"
    _, _, port = start(start_proxy, tmp_path, pki, tls={"require": "optional"}, viewer_token=token)
    url = f"https://localhost:{port}/metrics"
    argv = [program("curl"), "--silent", "--show-error", "--fail", "--cacert", str(pki.ca)]
    assert "spliceproxy_" in run([*argv, "--header", f"Authorization: Bearer {token}", url])
    bare = subprocess.run([*argv, url], capture_output=True, text=True, timeout=50, check=False)
    assert "401" in bare.stderr
    with_certificate = [*argv, "--cert", str(pki.issue("bob")), url]
    assert "spliceproxy_" in run(with_certificate)
    assert "spliceproxy_" in run([*with_certificate, "--tlsv1.2", "--tls-max", "1.2"])


def test_a_watched_file_renews_the_certificate(
    start_proxy: StartProxy, tmp_path: Path, pki: Pki
) -> None:
    proxy, _, port = start(start_proxy, tmp_path, pki, tls={"watch": True})
    client = pki.issue("alice")
    before = serial_of(port, pki, client)
    pki.issue("server", to="new").rename(tmp_path / "server.pem")
    proxy.log.wait("admin_tls_renewed", 1)
    wait_until(lambda: serial_of(port, pki, client) != before, 20, "the new certificate")


def test_a_reload_renews_the_certificate(start_proxy: StartProxy, tmp_path: Path, pki: Pki) -> None:
    proxy, _, port = start(start_proxy, tmp_path, pki)
    client = pki.issue("alice")
    before = serial_of(port, pki, client)
    pki.issue("server", to="new").rename(tmp_path / "server.pem")
    reload(proxy)
    proxy.log.wait("admin_tls_renewed", 1)
    wait_until(lambda: len(proxy.log.all("admin_started")) == 2, 20, "another admin process")
    wait_until(lambda: serial_of(port, pki, client) != before, 20, "the new certificate")
    reload(proxy)
    assert len(proxy.log.all("admin_tls_renewed")) == 1
    assert (
        json.loads(
            ctl(
                port, "--admin-ca", pki.ca, "--admin-certificate", client, "--json", "status"
            ).stdout
        )["generation"]
        == 3
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="others may start without a token at loopback")
def test_root_needs_a_token_where_certificates_are_optional(tmp_path: Path, pki: Pki) -> None:
    file = RoutesFile(tmp_path / "routes.yaml")
    tls = {
        "certificate": str(pki.issue("server")),
        "client_ca": str(pki.ca),
        "require": "optional",
    }
    listen = {"address": f"127.0.0.1:{free_port()}", "tls": tls}
    file.write(route("127.0.0.1:0", "127.0.0.1:1"), admin={"listen": listen})
    done = subprocess.run(
        [COMMAND, "--config", str(file.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "needs a token" in done.stderr


def test_check_looks_at_the_files(tmp_path: Path, pki: Pki) -> None:
    file, key = RoutesFile(tmp_path / "routes.yaml"), pki.issue("server")
    key.chmod(0o644)
    tls = {"certificate": str(key)}
    admin = {"listen": {"address": "127.0.0.1:9000", "tls": tls}, "token": "0123456789abcdef"}
    file.write(route("127.0.0.1:0", "127.0.0.1:1"), admin=admin)
    done = subprocess.run(
        [COMMAND, "check", str(file.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "everybody may read the key" in done.stderr
    assert "admin.listen.tls" in done.stderr
