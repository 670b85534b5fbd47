"""Certificates of a running proxy: read as root, renewed under load, told of, kept secret."""

import hashlib
import os
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spliceproxy.settings.tls import TlsDial
from tests.tls.authority import Authority, Pair, client_tls

from .conftest import StartProxy
from .dropped import UID, needs_root, root_launcher, roots_directory, status
from .peers import TIMEOUT_S, Backend
from .processes import wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, refused, reload, route
from .unprivileged import unprivileged_launcher

pytestmark = pytest.mark.e2e


@contextmanager
def speaking(
    proxy: ProxyCommand,
    backend: Backend,
    context: ssl.SSLContext,
    session: ssl.SSLSession | None = None,
) -> Iterator[ssl.SSLSocket]:
    """Connect, and say something that the backend answers."""
    with (
        socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT_S) as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as client,
        backend.accept() as server,
    ):
        exchange(client, server)
        yield client
        exchange(client, server)
        server.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        client.unwrap()


def exchange(client: ssl.SSLSocket, server: socket.socket) -> None:
    client.sendall(b"question")
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    assert client.recv(100) == b"answer"


def number_of(client: ssl.SSLSocket) -> object:
    told = client.getpeercert()
    assert told is not None
    return told["serialNumber"]


def number_now(proxy: ProxyCommand, backend: Backend, context: ssl.SSLContext) -> object:
    """Of the certificate that is shown; a worker that drains takes what waits once more."""
    with speaking(proxy, backend, context) as client:
        return number_of(client)


def listening(pair: Pair, **tls: object) -> dict[str, object]:
    files = {"certificate": pair.certificate, "key": pair.key}
    return {"address": "127.0.0.1:0", "tls": {**files, **tls}}


def test_a_renewed_certificate_is_shown_after_a_reload_that_nobody_notices(
    start_proxy: StartProxy, authority: Authority, tmp_path: Path
) -> None:
    file, pair = RoutesFile(tmp_path / "routes.yaml"), authority.issue("localhost")
    context = client_tls(TlsDial(ca=authority.path)).context
    with Backend() as backend:
        file.write(route(listening(pair), backend.address))
        proxy = file.start(start_proxy)
        with speaking(proxy, backend, context) as client:
            first, session = number_of(client), client.session
            authority.issue("localhost")
            reload(proxy)
            told = proxy.log.wait("tls_certificates_renewed")[0]
            assert (told["count"], told["files"]) == (1, [pair.certificate])
            wait_until(lambda: number_now(proxy, backend, context) != first, 20, "the new one")
            for _ in range(4):  # whichever worker takes it
                with speaking(proxy, backend, context, session) as resumed:
                    assert resumed.session_reused


def test_bad_files_are_refused_and_the_old_ones_stay(
    start_proxy: StartProxy, authority: Authority, tmp_path: Path
) -> None:
    file, pair = RoutesFile(tmp_path / "routes.yaml"), authority.issue("localhost")
    context = client_tls(TlsDial(ca=authority.path)).context
    with Backend() as backend:
        file.write(route(listening(pair), backend.address))
        proxy = file.start(start_proxy)
        with speaking(proxy, backend, context) as client:
            first = number_of(client)
        other = authority.issue("localhost", file="other")
        shutil.copy(other.key, pair.key)
        said = refused(proxy)
        assert len(said["mistakes"]) == 1
        assert "listen.tls.key: the key is not that of" in said["mistakes"][0]
        with speaking(proxy, backend, context) as client:
            assert number_of(client) == first


def test_files_that_are_watched_cause_a_reload_by_themselves(
    start_proxy: StartProxy, authority: Authority, tmp_path: Path
) -> None:
    file, pair = RoutesFile(tmp_path / "routes.yaml"), authority.issue("localhost")
    context = client_tls(TlsDial(ca=authority.path)).context
    with Backend() as backend:
        file.write(route(listening(pair, watch=True), backend.address))
        proxy = file.start(start_proxy)
        proxy.expected_errors.add("reload_refused")
        with speaking(proxy, backend, context) as client:
            first = number_of(client)
        key = Path(pair.key).read_bytes()
        Path(pair.key).write_bytes(b"in the middle of a renewal that takes long")
        proxy.log.wait("reload_refused")
        Path(pair.key).write_bytes(key)
        proxy.log.wait("reloaded")
        authority.issue("localhost")
        proxy.log.wait("reloaded", 2)
        wait_until(lambda: number_now(proxy, backend, context) != first, 20, "the new one")


@needs_root
def test_keys_that_root_alone_may_read(start_proxy: StartProxy) -> None:
    with (
        root_launcher() as launcher,
        roots_directory() as directory,
        roots_directory(0o700) as secret,
        Backend() as backend,
    ):
        authority = Authority(secret)
        pair = authority.issue("localhost")
        file = RoutesFile(directory / "routes.yaml", {"workers": 1, "user": str(UID)})
        file.write(route(listening(pair), backend.address))
        proxy = start_proxy("--config", str(file.path), launcher=launcher)
        context = client_tls(TlsDial(ca=authority.path)).context
        with speaking(proxy, backend, context) as client:
            first = number_of(client)
        authority.issue("localhost")
        reload(proxy)
        wait_until(lambda: number_now(proxy, backend, context) != first, 20, "the new one")
        for worker in proxy.workers():
            assert status(worker)["Uid"].split()[0] == str(UID)


@needs_root
def test_whoever_holds_keys_hides_them_from_its_own_user(start_proxy: StartProxy) -> None:
    with unprivileged_launcher() as launcher, roots_directory() as directory:
        pair = Authority(directory).issue("localhost")
        os.chown(pair.key, UID, -1)
        file = RoutesFile(directory / "routes.yaml", {"workers": 1})
        file.write(route("127.0.0.1:0", "127.0.0.1:1"))
        proxy = start_proxy("--config", str(file.path), launcher=launcher)
        owners = {owner_of_memory(pid) for pid in (proxy.pid, *proxy.workers())}
        assert owners == {UID}
        file.write(route(listening(pair, watch=True), "127.0.0.1:1"))
        reload(proxy)
        proxy.log.wait("generation_ended")
        wait_until(lambda: len(proxy.workers()) == 2, 20, "a worker, and what watches the files")
        owners = {owner_of_memory(pid) for pid in (proxy.pid, *proxy.workers())}
        assert owners == {0}


def owner_of_memory(pid: int) -> int:
    """Root, where a process's own user may not look at it (PR_SET_DUMPABLE, proc(5))."""
    return Path(f"/proc/{pid}/mem").stat().st_uid


def test_a_certificate_is_made_for_trying_it_out(start_proxy: StartProxy) -> None:
    with Backend() as backend:
        proxy = start_proxy("--backend", backend.address, "--self-signed", "--workers", "1")
        told = proxy.log.wait("tls_self_signed")[0]["sha256"]
        context = client_tls(TlsDial(verify=False)).context
        with speaking(proxy, backend, context) as client:
            shown = client.getpeercert(binary_form=True)
        assert shown is not None
        assert told.replace(":", "").lower() == hashlib.sha256(shown).hexdigest()


def test_certificates_that_expire_are_told_of(
    start_proxy: StartProxy, authority: Authority, tmp_path: Path
) -> None:
    soon = datetime.now(UTC) + timedelta(days=13, hours=1)
    pair = authority.issue("localhost", not_after=soon)
    proxy = start_proxy(
        *("--backend", "127.0.0.1:1", "--workers", "1"),
        *("--tls-certificate", pair.certificate, "--tls-key", pair.key),
    )
    told = proxy.log.wait("tls_certificates_expire")[0]
    assert told["certificates"] == [{"file": pair.certificate, "days_left": 13}]


def test_keys_are_logged_for_their_owner_alone(
    start_proxy: StartProxy, authority: Authority, tmp_path: Path
) -> None:
    file, pair = RoutesFile(tmp_path / "routes.yaml"), authority.issue("localhost")
    keys = tmp_path / "keys.log"
    context = client_tls(TlsDial(ca=authority.path)).context
    with Backend() as backend:
        file.write(route(listening(pair), backend.address), tls_key_log=str(keys))
        proxy = file.start(start_proxy)
        proxy.log.wait("tls_keys_are_logged")
        with speaking(proxy, backend, context):
            wait_until(lambda: b"CLIENT_TRAFFIC_SECRET_0 " in keys.read_bytes(), 10, "the secrets")
        assert keys.stat().st_mode & 0o777 == 0o600
        keys.chmod(0o640)
        assert "not for this user alone" in refused(proxy)["reason"]


def test_keys_are_not_told(start_proxy: StartProxy, authority: Authority, tmp_path: Path) -> None:
    file, pair = RoutesFile(tmp_path / "routes.yaml"), authority.issue("localhost")
    file.write(route(listening(pair), "127.0.0.1:1"))
    proxy = file.start(start_proxy)
    proxy.process.send_signal(signal.SIGHUP)
    proxy.log.wait("reloaded")
    assert "PRIVATE KEY" not in str(proxy.log.all())
