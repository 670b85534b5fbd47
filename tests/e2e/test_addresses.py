"""Every form of an address, on both sides."""

import os
import socket
from pathlib import Path

import pytest

from .conftest import StartProxy
from .peers import Backend, receive_exactly
from .proxy_command import Launcher, clean_environment
from .test_streams import get

pytestmark = pytest.mark.e2e


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


@needs_ipv6
def test_a_port_alone_listens_on_ipv4_and_ipv6(start_proxy: StartProxy, origin: str) -> None:
    proxy = start_proxy("--listen", "0", "--backend", origin)
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, proxy.port), timeout=20) as client:
            get(client, 10_000, 1)
    clients = {line["client"].rpartition(":")[0] for line in proxy.log.wait("connection", 2)}
    assert clients == {"127.0.0.1", "[::1]"}


@needs_ipv6
def test_ipv6_on_both_sides(start_proxy: StartProxy) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as backend:
        port = backend.getsockname()[1]
        proxy = start_proxy("--listen", "[::1]:0", "--backend", f"[::1]:{port}")
        with socket.create_connection(("::1", proxy.port), timeout=20) as client:
            server, _ = backend.accept()
            with server:
                client.sendall(b"hello")
                assert receive_exactly(server, 5) == b"hello"
    assert proxy.listener == f"[::1]:{proxy.port}"


def test_unix_sockets_on_both_sides(start_proxy: StartProxy, tmp_path: Path) -> None:
    front, back = tmp_path / "front", tmp_path / "back"
    with socket.socket(socket.AF_UNIX) as backend, socket.socket(socket.AF_UNIX) as client:
        backend.bind(str(back))
        backend.listen()
        proxy = start_proxy("--listen", f"unix:{front}", "--backend", f"unix:{back}")
        assert proxy.listener == f"unix:{front}"
        client.connect(str(front))
        server, _ = backend.accept()
        with server:
            client.sendall(b"ping")
            client.shutdown(socket.SHUT_WR)
            assert receive_exactly(server, 4) == b"ping"
            assert server.recv(1) == b""
            server.sendall(b"pong")
        assert receive_exactly(client, 4) == b"pong"
        assert client.recv(1) == b""


def test_abstract_sockets_on_both_sides_and_at_a_mirror(start_proxy: StartProxy) -> None:
    own = f"spliceproxy-test-{os.getpid()}"
    with (
        socket.socket(socket.AF_UNIX) as backend,
        socket.socket(socket.AF_UNIX) as mirror,
        socket.socket(socket.AF_UNIX) as client,
    ):
        for sock, name in ((backend, "back"), (mirror, "mirror")):
            sock.bind(f"\0{own}-{name}")
            sock.listen()
            sock.settimeout(20)
        proxy = start_proxy(
            *("--listen", f"unix:@{own}-front", "--backend", f"unix:@{own}-back"),
            *("--mirror", f"unix:@{own}-mirror?direction=request"),
        )
        assert proxy.listener == f"unix:@{own}-front"
        assert not list(Path().glob(f"*{own}*"))  # no file of that name
        client.connect(f"\0{own}-front")
        client.sendall(b"ping")
        for listener in (backend, mirror):
            server, _ = listener.accept()
            with server:
                server.settimeout(20)
                assert receive_exactly(server, 4) == b"ping"


def test_a_name_and_several_listeners(start_proxy: StartProxy, origin: str, tmp_path: Path) -> None:
    _, _, port = origin.rpartition(":")
    listeners = ("127.0.0.1:0", "localhost:0", f"unix:{tmp_path}/front")
    arguments = [word for listener in listeners for word in ("--listen", listener)]
    proxy = start_proxy(*arguments, "--backend", f"localhost:{port}")
    addresses = [str(address) for address in proxy.started["listeners"]]
    assert f"unix:{tmp_path}/front" in addresses
    for address in addresses:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(address.removeprefix("unix:"))
                get(client, 1000, 2)
        else:
            host, _, number = address.rpartition(":")
            with socket.create_connection((host.strip("[]"), int(number)), timeout=20) as client:
                get(client, 1000, 2)


def test_the_environment_sets_what_no_flag_sets(start_proxy: StartProxy) -> None:
    with Backend() as backend:
        environment = clean_environment() | {
            "SPLICEPROXY_LISTEN": "127.0.0.1:0",
            "SPLICEPROXY_BACKEND": backend.address,
            "SPLICEPROXY_WORKERS": "3",
        }
        proxy = start_proxy("--workers", "1", launcher=Launcher(environment=environment))
        assert proxy.started["backends"] == [backend.address]
        assert (proxy.started["workers"], len(proxy.workers())) == (1, 1)
