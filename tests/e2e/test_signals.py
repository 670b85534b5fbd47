"""How the command ends: draining, cutting, and in both cases leaving nothing behind."""

import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import Backend, random_bytes, receive_exactly, sha256
from .processes import is_listening, wait_until
from .proxy_command import ProxyCommand

pytestmark = pytest.mark.e2e

ANSWER_BYTES = 64 << 20


@contextmanager
def connection_through(
    start_proxy: StartProxy, *arguments: str
) -> Iterator[tuple[ProxyCommand, socket.socket, socket.socket]]:
    """Yield a proxy and both ends of one connection that has carried a byte."""
    with Backend() as backend:
        proxy = start_proxy("--backend", backend.address, *arguments)
        with proxy.connect() as client, backend.accept() as server:
            client.sendall(b"x")
            assert receive_exactly(server, 1) == b"x"
            yield proxy, client, server


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_a_running_download_is_drained_to_its_end(
    start_proxy: StartProxy, asked: signal.Signals
) -> None:
    answer = random_bytes(ANSWER_BYTES)
    with connection_through(start_proxy) as (proxy, client, server), ThreadPoolExecutor(1) as pool:
        sending = pool.submit(server.sendall, answer)
        received = receive_exactly(client, 1 << 20)
        proxy.process.send_signal(asked)
        proxy.log.wait("draining")
        wait_until(lambda: not is_listening(proxy.port), 10, "the listener is closed")
        received += receive_exactly(client, ANSWER_BYTES - len(received))
        sending.result(20)
        # Still both ways, until the two ends are done.
        client.sendall(b"thanks")
        assert receive_exactly(server, 6) == b"thanks"
        server.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        client.close()
        assert proxy.wait_exit() == 0
        assert sha256(received) == sha256(answer)
    assert proxy.log.wait("connection")[0]["reason"] == "closed"
    assert len(proxy.log.wait("stopped")) == 1


def test_a_balancer_hears_of_a_drain_before_it_begins(start_proxy: StartProxy) -> None:
    admin = f"127.0.0.1:{free_port()}"
    delayed = ("--drain-delay", "1h", "--admin", admin, "--admin-insecure")
    with connection_through(start_proxy, *delayed) as (proxy, _, _):
        assert readiness(admin) == 200
        proxy.process.send_signal(signal.SIGTERM)
        [line] = proxy.log.wait("drain_delayed")
        assert (line["signal"], line["drain_delay_s"]) == ("SIGTERM", 3600.0)
        wait_until(lambda: readiness(admin) == 503, 10, "the admin interface says no")
        with proxy.connect() as late:  # who has not asked yet is served
            late.sendall(b"x")
        assert not proxy.log.all("draining")
        proxy.process.send_signal(signal.SIGTERM)  # whoever is in a hurry
        assert proxy.wait_exit() == 0
    assert len(proxy.log.wait("stopping_at_once")) == 1


def test_a_delayed_drain_begins(start_proxy: StartProxy) -> None:
    with connection_through(start_proxy, "--drain-delay", "200ms") as (proxy, client, server):
        proxy.process.send_signal(signal.SIGTERM)
        proxy.log.wait("draining")
        client.close()
        server.close()
        assert proxy.wait_exit() == 0


def readiness(admin: str) -> int:
    try:
        with urllib.request.urlopen(f"http://{admin}/readyz", timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def test_what_is_left_at_the_drain_timeout_is_reset(start_proxy: StartProxy) -> None:
    with connection_through(start_proxy, "--drain-timeout", "500ms") as (proxy, client, server):
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        for end in (client, server):
            with pytest.raises(ConnectionResetError):
                end.recv(1)
    assert proxy.log.wait("connection")[0]["reason"] == "drain_deadline"


def test_a_second_signal_cuts_a_drain_short(start_proxy: StartProxy) -> None:
    with connection_through(start_proxy, "--drain-timeout", "1h") as (proxy, client, server):
        proxy.process.send_signal(signal.SIGTERM)
        proxy.log.wait("draining")
        assert proxy.process.poll() is None
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        for end in (client, server):
            with pytest.raises(ConnectionResetError):
                end.recv(1)
    assert proxy.log.wait("connection")[0]["reason"] == "stopped"


def test_sigquit_cuts_at_once(start_proxy: StartProxy) -> None:
    with connection_through(start_proxy) as (proxy, client, server):
        proxy.process.send_signal(signal.SIGQUIT)
        assert proxy.wait_exit() == 0
        for end in (client, server):
            with pytest.raises(ConnectionResetError):
                end.recv(1)
    assert proxy.log.wait("connection")[0]["reason"] == "stopped"


@pytest.mark.parametrize("repeated", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_the_very_end_changes_nothing(
    start_proxy: StartProxy, repeated: signal.Signals
) -> None:
    proxy = start_proxy("--backend", "127.0.0.1:9")
    proxy.process.send_signal(signal.SIGTERM)
    proxy.log.wait("stopped")
    while proxy.process.poll() is None:
        proxy.process.send_signal(repeated)
        time.sleep(0.001)
    assert proxy.wait_exit() == 0


def test_a_port_can_be_used_again_at_once(start_proxy: StartProxy) -> None:
    with Backend() as backend:
        listen = ("--listen", f"127.0.0.1:{free_port()}")
        first = start_proxy("--backend", backend.address, *listen)
        # The proxy's side ends first, which leaves its port in TIME_WAIT.
        with first.connect() as client:
            backend.accept().close()
            assert client.recv(1) == b""
        first.log.wait("connection")
        first.process.send_signal(signal.SIGTERM)
        assert first.wait_exit() == 0
        second = start_proxy("--backend", backend.address, *listen)
        assert second.port == first.port


def test_a_unix_socket_is_gone_after_the_end(start_proxy: StartProxy, tmp_path: Path) -> None:
    front = tmp_path / "front"
    proxy = start_proxy("--listen", f"unix:{front}", "--backend", "127.0.0.1:9")
    assert front.is_socket()
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0
    assert not front.exists()


def test_a_unix_socket_that_a_killed_proxy_left_is_replaced(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    front = tmp_path / "front"
    arguments = ("--listen", f"unix:{front}", "--backend", "127.0.0.1:9")
    killed = start_proxy(*arguments)
    killed.process.kill()
    killed.process.wait(10)
    wait_until(killed.is_gone, 10, "the workers of a killed master are gone")
    assert front.is_socket()
    start_proxy(*arguments)


def test_workers_do_not_outlive_a_master_that_is_killed(start_proxy: StartProxy) -> None:
    with connection_through(start_proxy, "--drain-timeout", "500ms") as (proxy, _, _):
        proxy.process.send_signal(signal.SIGKILL)
        proxy.process.wait(10)
        wait_until(proxy.is_gone, 10, "the workers of a killed master are gone")
