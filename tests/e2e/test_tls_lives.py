"""Connections by TLS with both peers while workers drain, reload and are killed."""

import os
import signal
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.tls.certificates import authority, certificate, client_context, server_context

from .conftest import StartProxy
from .peers import Backend, random_bytes, receive_exactly, sha256
from .processes import is_listening, wait_until
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, reload, wait_for_generation
from .test_workers import stopped

pytestmark = pytest.mark.e2e

ANSWER_BYTES = 16 << 20


def start(
    start_proxy: StartProxy, directory: Path, backend: Backend, **settings: str
) -> ProxyCommand:
    file = RoutesFile(directory / "routes.yaml")
    listen = {"address": "127.0.0.1:0", "tls": certificate()}
    tls = {"ca": authority(), "name": "localhost"}
    backends = [{"address": backend.address, "tls": tls}]
    file.write({"name": "main", "listen": listen, "backends": backends}, **settings)
    return file.start(start_proxy)


@contextmanager
def connection(
    proxy: ProxyCommand, backend: Backend, session: ssl.SSLSession | None = None
) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """Both ends of a connection that has carried a byte each way; what is cut off is no end."""
    with ExitStack() as stack:
        raw = stack.enter_context(proxy.connect())
        client = client_context().wrap_socket(
            raw, server_hostname="localhost", suppress_ragged_eofs=False, session=session
        )
        stack.enter_context(client)
        accepted = stack.enter_context(backend.accept())
        server = server_context().wrap_socket(
            accepted, server_side=True, suppress_ragged_eofs=False
        )
        stack.enter_context(server)
        speak(client, server)
        yield client, server


def speak(client: ssl.SSLSocket, server: ssl.SSLSocket) -> None:
    for sender, receiver in ((client, server), (server, client)):
        sender.sendall(b"x")
        assert receive_exactly(receiver, 1) == b"x"


def assert_ends_well(client: ssl.SSLSocket, server: ssl.SSLSocket) -> None:
    with ThreadPoolExecutor(1) as threads:
        ending = threads.submit(server.unwrap)
        assert client.recv(1) == b""
        client.unwrap()
        ending.result(20)


def assert_reset(*ends: ssl.SSLSocket) -> None:
    """Look below TLS: Python's `ssl` has the same error for a reset and for a FIN."""
    for end in ends:
        with pytest.raises(ConnectionResetError):
            socket.socket.recv(end, 1)


def test_a_download_is_drained_to_its_end(start_proxy: StartProxy, tmp_path: Path) -> None:
    answer = random_bytes(ANSWER_BYTES)
    with Backend() as backend, ThreadPoolExecutor(1) as threads:
        proxy = start(start_proxy, tmp_path, backend)
        with connection(proxy, backend) as (client, server):
            sending = threads.submit(server.sendall, answer)
            received = receive_exactly(client, 1 << 20)
            proxy.process.send_signal(signal.SIGTERM)
            proxy.log.wait("draining")
            wait_until(lambda: not is_listening(proxy.port), 10, "the listener is closed")
            received += receive_exactly(client, ANSWER_BYTES - len(received))
            sending.result(20)
            assert sha256(received) == sha256(answer)
            speak(client, server)
            assert_ends_well(client, server)
            assert proxy.wait_exit() == 0
    assert proxy.log.wait("connection")[0]["reason"] == "closed"


@pytest.mark.parametrize("how", ["stop", "reload"])
def test_what_is_left_at_the_deadline_is_reset(
    how: str, start_proxy: StartProxy, tmp_path: Path
) -> None:
    key = "drain_timeout" if how == "stop" else "reload_drain_timeout"
    with Backend() as backend:
        proxy = start(start_proxy, tmp_path, backend, **{key: "500ms"})
        with connection(proxy, backend) as ends:
            if how == "stop":
                proxy.process.send_signal(signal.SIGTERM)
                assert proxy.wait_exit() == 0
            else:
                reload(proxy)
            assert_reset(*ends)
        if how == "reload":
            wait_for_generation(proxy, 2)
    assert proxy.log.wait("connection")[0]["reason"] == "drain_deadline"


def test_a_reload_leaves_a_connection_its_keys(start_proxy: StartProxy, tmp_path: Path) -> None:
    with Backend() as backend:
        proxy = start(start_proxy, tmp_path, backend)
        with connection(proxy, backend) as old:
            reload(proxy)
            speak(*old)
            with connection(proxy, backend, session=old[0].session) as new:
                assert new[0].session_reused
                assert_ends_well(*new)
            assert_ends_well(*old)
        wait_for_generation(proxy, 2)
    assert {line["reason"] for line in proxy.log.wait("connection", 2)} == {"closed"}


def test_a_killed_worker_resets_its_own_connections(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    """Nobody takes half an answer for a whole one; sessions are resumed at the next worker."""
    with Backend() as backend, ExitStack() as stack:
        proxy = start(start_proxy, tmp_path, backend)
        proxy.expected_errors.add("worker_exited")
        victim, other = proxy.workers()
        with stopped(other):
            lost = stack.enter_context(connection(proxy, backend))
        with stopped(victim):
            kept = stack.enter_context(connection(proxy, backend))
        lost[1].sendall(b"half an answ")
        assert receive_exactly(lost[0], 12) == b"half an answ"
        os.kill(victim, signal.SIGKILL)
        assert_reset(*lost)
        speak(*kept)
        proxy.log.wait("worker_restarted")
        with stopped(other):
            resumed = stack.enter_context(connection(proxy, backend, session=lost[0].session))
            assert resumed[0].session_reused
        assert_ends_well(*resumed)
        assert_ends_well(*kept)
        proxy.log.wait("connection", 2)


def test_a_killed_proxy_resets_all(start_proxy: StartProxy, tmp_path: Path) -> None:
    with Backend() as backend:
        proxy = start(start_proxy, tmp_path, backend, drain_timeout="500ms")
        with connection(proxy, backend) as ends:
            proxy.process.send_signal(signal.SIGKILL)
            proxy.process.wait(10)
            assert_reset(*ends)
            wait_until(proxy.is_gone, 10, "the workers of a killed master are gone")
