"""Who is let in, and how fast bytes pass, through the installed command."""

import contextlib
import time
from pathlib import Path

import pytest

from .conftest import StartProxy
from .peers import Backend, connect_from, is_turned_away, random_bytes, receive_exactly

pytestmark = pytest.mark.e2e


def test_networks_and_clients(start_proxy: StartProxy, tmp_path: Path) -> None:
    with Backend() as backend:
        path = tmp_path / "routes.yaml"
        path.write_text(
            f"""\
workers: 1
routes:
- listen: 127.0.0.1:0
  backends: {backend.address}
  allow: [127.0.0.2, 127.0.1.0/24]
  deny: 127.0.1.1
  per_client: {{max_connections: 1}}
"""
        )
        proxy = start_proxy("--config", str(path))
        for source in ("127.0.0.1", "127.0.1.1"):
            assert is_turned_away(source, proxy.port)
        for source in ("127.0.0.2", "127.0.1.2"):
            with connect_from(source, proxy.port) as client, backend.accept() as server:
                client.sendall(b"ping")
                assert receive_exactly(server, 4) == b"ping"
                assert is_turned_away(source, proxy.port)
    lines = proxy.log.wait("clients_refused", 2)
    assert {line["reason"] for line in lines} == {"denied", "client_limit"}


def test_bandwidth(start_proxy: StartProxy, tmp_path: Path) -> None:
    data = random_bytes(2 << 20)
    with Backend() as backend:
        path = tmp_path / "routes.yaml"
        path.write_text(
            f"""\
routes:
- listen: 127.0.0.1:0
  backends: {backend.address}
  bandwidth: {{connection: 4MiB/s}}
"""
        )
        proxy = start_proxy("--config", str(path))
        with proxy.connect() as client, backend.accept() as server:
            began_s = time.monotonic()
            server.sendall(data[: 1 << 16])
            server.setblocking(False)
            rest = memoryview(data)[1 << 16 :]
            received = bytearray()
            while len(received) < len(data):
                if rest:
                    with contextlib.suppress(BlockingIOError):
                        rest = rest[server.send(rest) :]
                received += client.recv(1 << 16)
            assert received == data
            assert time.monotonic() - began_s >= 0.4 - 0.01  # the burst is 0.1 s
