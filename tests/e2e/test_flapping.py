"""Backends whose banner says now this and now that, and backends that a name server lists."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.soak.dns_server import serving_dns

from .conftest import StartProxy
from .processes import wait_until
from .proxy_command import Launcher
from .reloading import RoutesFile

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class BannerServer:
    """Says its banner to whoever connects, and closes."""

    def __init__(self, banner: bytes) -> None:
        self.banner = banner
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock:
                sock.sendall(self.banner)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()


@contextmanager
def banner_server(banner: bytes) -> Iterator[BannerServer]:
    server = BannerServer(banner)
    try:
        yield server
    finally:
        server.close()


def test_a_banner_that_flaps(start_proxy: StartProxy, tmp_path: Path) -> None:
    with banner_server(b"220 one\r\n") as one, banner_server(b"220 other\r\n") as other:
        file = RoutesFile(tmp_path / "routes.yaml")
        file.write(
            {
                "listen": "127.0.0.1:0",
                "backends": [f"127.0.0.1:{one.port}", f"127.0.0.1:{other.port}"],
                "balance": "first",
                "health_check": {"expect": "220", "interval": "50ms", "rise": 2, "fall": 2},
            },
            workers=1,
        )
        proxy = file.start(start_proxy)

        def banner() -> bytes:
            with proxy.connect() as client:
                return client.recv(100)

        assert banner() == b"220 one\r\n"
        for flaps in range(1, 4):
            one.banner = b"421 too busy\r\n"
            down = proxy.log.wait("backend_down", flaps)[-1]
            assert "unexpected_answer '421'" in down["reason"]
            assert banner() == b"220 other\r\n"
            one.banner = b"220 one\r\n"
            proxy.log.wait("backend_up", flaps)
            assert banner() == b"220 one\r\n"
        assert proxy.log.all("connect_failed") == []


def test_backends_by_srv_records(start_proxy: StartProxy, tmp_path: Path) -> None:
    name = "_web._tcp.example.test"
    with banner_server(b"one") as one, banner_server(b"other") as other:
        zone = {
            (name, "SRV"): (1, [f"0 0 {one.port} a.example.test."]),
            ("a.example.test", "A"): (3600, ["127.0.0.1"]),
        }
        with serving_dns(zone) as server:
            file = RoutesFile(tmp_path / "routes.yaml")
            file.write(
                {"listen": "127.0.0.1:0", "backends": [f"srv:{name}"]},
                dns={"servers": [str(server.address)]},
                workers=2,
            )
            proxy = file.start(start_proxy)

            def banner() -> bytes:
                with proxy.connect() as client:
                    return client.recv(100)

            assert {banner() for _ in range(8)} == {b"one"}
            zone[name, "SRV"] = (1, [f"0 0 {other.port} a.example.test."])
            wait_until(lambda: {banner() for _ in range(8)} == {b"other"}, 15, "the other one")
            (changed,) = proxy.log.wait("backends_changed")
            assert changed["come"] == [f"a.example.test:{other.port}"]


def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    with serving_dns({}) as server:
        file = RoutesFile(tmp_path / "routes.yaml")
        file.write(
            {"listen": "127.0.0.1:0", "backends": ["srv:_web._tcp.example.test"]},
            dns={"servers": [str(server.address)]},
        )
        process = Launcher().popen("--config", str(file.path), stderr=-1)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 3
    assert b"srv:_web._tcp.example.test does not resolve" in error
