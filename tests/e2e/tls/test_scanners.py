"""What scanners of TLS have to say of a listener: nothing that is worse than `low`."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.e2e.conftest import StartProxy
from tests.e2e.nginx import nginx
from tests.e2e.proxy_command import ProxyCommand
from tests.e2e.reloading import RoutesFile, route
from tests.e2e.servers import run
from tests.tls.authority import Authority

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

profiles = pytest.mark.parametrize("ciphers", ["intermediate", "modern"])

# Of all sections those that depend on the proxy and take less than a minute together: ciphers are
# sslscan's to try, and attacks on versions before 1.2 need those.
SECTIONS = (
    *("--protocols", "--server-defaults", "--heartbleed", "--ccs-injection", "--ticketbleed"),
    *("--renegotiation", "--compression", "--tls-fallback"),
)
LOOKED_AT = {
    *("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "TLS_timestamp"),
    *("heartbleed", "CCS", "ticketbleed", "secure_renego", "secure_client_renego", "CRIME_TLS"),
    *("fallback_SCSV", "cert_chain_of_trust", "cert_trust"),
}
HARMLESS = {"OK", "INFO", "LOW"}
# The certificate is valid for a thousand years, and nobody can revoke it.
OF_THE_CERTIFICATE = {"cert_validityPeriod", "cert_revocation"}
# A warning that version 3.0 cannot resume a session where there is TLS 1.3 alone.
NOT_LOOKED_AT = {"sessionresumption_ticket"}


@pytest.fixture
def scanned(
    ciphers: str,
    start_proxy: StartProxy,
    program: Callable[[str], str],
    authority: Authority,
    tmp_path: Path,
) -> Iterator[ProxyCommand]:
    """A listener in front of a server of HTTP, which scanners ask for a page."""
    pair = authority.issue("localhost", "127.0.0.1")
    tls = {"certificate": pair.certificate, "key": pair.key, "ciphers": ciphers}
    directory = tmp_path / "nginx"
    directory.mkdir()
    with nginx(program("nginx"), directory) as (port, root):
        (root / "index.html").write_text("hello")
        file = RoutesFile(tmp_path / "routes.yaml", {"workers": 1})
        file.write(route({"address": "127.0.0.1:0", "tls": tls}, f"127.0.0.1:{port}"))
        yield file.start(start_proxy)


@profiles
def test_sslscan(
    scanned: ProxyCommand, ciphers: str, program: Callable[[str], str], tmp_path: Path
) -> None:
    file = tmp_path / "found.xml"
    run([program("sslscan"), f"--xml={file}", f"127.0.0.1:{scanned.port}"], timeout_s=120)
    text = re.sub(r"(?s)<certificates>.*</certificates>", "", file.read_text())
    found = ElementTree.fromstring(text)
    spoken = {
        (each.get("type"), each.get("version"))
        for each in found.iter("protocol")
        if each.get("enabled") == "1"
    }
    versions = {"1.3"} if ciphers == "modern" else {"1.2", "1.3"}
    assert spoken == {("tls", version) for version in versions}
    suites = list(found.iter("cipher"))
    assert {each.get("sslversion") for each in suites} == {f"TLSv{each}" for each in versions}
    assert {each.get("strength") for each in suites} <= {"strong", "acceptable"}
    assert min(int(each.get("bits", "0")) for each in suites) >= 128
    assert {each.get("vulnerable") for each in found.iter("heartbleed")} == {"0"}
    assert {each.get("supported") for each in found.iter("renegotiation")} == {"0"}
    assert {each.get("supported") for each in found.iter("compression")} <= {"0"}


@profiles
def test_testssl(
    scanned: ProxyCommand,
    program: Callable[[str], str],
    authority: Authority,
    tmp_path: Path,
) -> None:
    file = tmp_path / "found.json"
    argv = [program("testssl"), "--warnings", "off", "--nodns", "none", "--color", "0", *SECTIONS]
    argv += ["--add-ca", authority.path, "--jsonfile", str(file), f"localhost:{scanned.port}"]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280, check=False
    )
    assert file.exists(), done.stdout
    found = {each["id"]: each for each in json.loads(file.read_text())}
    assert found.keys() >= LOOKED_AT, done.stdout
    bad = {name: each for name, each in found.items() if each["severity"] not in HARMLESS}
    assert bad.keys() <= OF_THE_CERTIFICATE | NOT_LOOKED_AT, bad
