"""Two proxies with TLS and certificates between them, in front of a server that has neither."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import StartProxy
from tests.e2e.peers import Backend, is_ended, random_bytes, receive_exactly, receive_to_end, reset
from tests.e2e.proxy_command import ProxyCommand
from tests.e2e.reloading import RoutesFile
from tests.tls.authority import Authority, Pair

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def far_end(
    start_proxy: StartProxy, authority: Authority, tmp_path: Path
) -> Callable[[str], ProxyCommand]:
    """Starts the end that lets in the other one alone, by its name."""

    def start(backend: str) -> ProxyCommand:
        site = authority.issue("far.example", file="far")
        tls: dict[str, Any] = {"certificate": site.certificate, "key": site.key}
        tls |= {"client_ca": authority.path, "clients": {"dns": "near.example"}}
        tls |= {"ciphers": "modern"}
        file = RoutesFile(tmp_path / "far.yaml", {"workers": 1})
        listen = {"address": "127.0.0.1:0", "tls": tls}
        file.write({"name": "far", "listen": listen, "backends": [backend]})
        return file.start(start_proxy)

    return start


def start_near_end(
    start_proxy: StartProxy, far: ProxyCommand, authority: Authority, shown: Pair | None
) -> ProxyCommand:
    backend = f"tls://127.0.0.1:{far.port}?ca={authority.path}&name=far.example"
    if shown is not None:
        backend += f"&certificate={shown.certificate}&key={shown.key}"
    return start_proxy("--backend", backend, "--workers", "1")


@contextmanager
def connected(proxy: ProxyCommand, backend: Backend) -> Iterator[tuple[socket.socket, ...]]:
    with proxy.connect() as client, backend.accept() as server:
        yield client, server


def test_bytes_and_ends_go_through(
    start_proxy: StartProxy, authority: Authority, far_end: Callable[[str], ProxyCommand]
) -> None:
    there, back = random_bytes(5 << 20, 1), random_bytes(5 << 20, 2)
    with Backend() as backend:
        far = far_end(backend.address)
        shown = authority.issue("near.example", file="near", cn="near")
        near = start_near_end(start_proxy, far, authority, shown)
        with connected(near, backend) as (client, server):
            sending = threading.Thread(target=client.sendall, args=(there,))
            sending.start()
            assert receive_exactly(server, len(there)) == there
            sending.join()
            client.shutdown(socket.SHUT_WR)
            assert receive_to_end(server) == b""  # and the other direction goes on
            sending = threading.Thread(target=server.sendall, args=(back,))
            sending.start()
            assert receive_exactly(client, len(back)) == back
            sending.join()
            server.close()
            assert receive_to_end(client) == b""
        (line,) = far.log.wait("connection")
        assert (line["reason"], line["tls"]["client_cn"]) == ("closed", "near")
        assert line["tls"]["version"] == "TLSv1.3"
        assert near.log.wait("connection")[0]["reason"] == "closed"


@pytest.mark.parametrize("by_client", [True, False])
def test_a_reset_goes_through(
    start_proxy: StartProxy,
    authority: Authority,
    far_end: Callable[[str], ProxyCommand],
    by_client: bool,
) -> None:
    with Backend() as backend:
        far = far_end(backend.address)
        near = start_near_end(
            start_proxy, far, authority, authority.issue("near.example", file="near")
        )
        with connected(near, backend) as (client, server):
            client.sendall(b"hello")
            assert receive_exactly(server, 5) == b"hello"
            breaking, other = (client, server) if by_client else (server, client)
            reset(breaking)
            with pytest.raises(ConnectionResetError):
                other.recv(1)
        reason = "client_reset" if by_client else "backend_reset"
        assert near.log.wait("connection")[0]["reason"] == reason
        assert far.log.wait("connection")[0]["reason"] == reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [("other.example", "client_certificate_refused"), (None, "client_no_certificate")],
)
def test_nobody_else_is_let_in(
    start_proxy: StartProxy,
    authority: Authority,
    far_end: Callable[[str], ProxyCommand],
    name: str | None,
    reason: str,
) -> None:
    with Backend() as backend:
        far = far_end(backend.address)
        shown = None if name is None else authority.issue(name, file="near")
        near = start_near_end(start_proxy, far, authority, shown)
        with near.connect() as client:
            assert is_ended(client)
        (line,) = far.log.wait("clients_refused")
        assert line["reason"] == reason
        with pytest.raises(TimeoutError):
            backend.accept(timeout_s=0.2)


def test_another_far_end_is_not_believed(
    start_proxy: StartProxy,
    authority: Authority,
    far_end: Callable[[str], ProxyCommand],
    tmp_path: Path,
) -> None:
    """Whoever has got hold of its address."""
    with Backend() as backend:
        far = far_end(backend.address)
        shown = authority.issue("near.example", file="near")
        near = start_near_end(start_proxy, far, Authority(tmp_path, "another"), shown)
        with near.connect() as client:
            assert is_ended(client)
        (line,) = near.log.wait("connect_failed")
        assert line["reason"] == "backend_bad_certificate"
