"""HAProxy in front, which tells who its clients are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import Backend, connect_from, is_ended, receive_exactly
from .servers import serving

pytestmark = pytest.mark.e2e

CONFIGURATION = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
frontend front
    bind 127.0.0.1:{front}
    default_backend proxy
backend proxy
    server proxy 127.0.0.1:{proxy} {word} source {source}
"""


@pytest.mark.parametrize(
    "word", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"]
)
def test_clients_of_haproxy(
    word: str, start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path
) -> None:
    with Backend() as backend:
        routes = tmp_path / "routes.yaml"
        routes.write_text(
            f"""\
routes:
- listen: 127.0.0.1:0
  backends: {backend.address}
  accept_proxy: required
  trusted: 127.0.0.9
  deny: 127.0.0.3
"""
        )
        proxy, front = start_proxy("--config", str(routes)), free_port()
        configuration = tmp_path / "haproxy.cfg"
        configuration.write_text(
            CONFIGURATION.format(front=front, proxy=proxy.port, word=word, source="127.0.0.9")
        )
        argv = [program("haproxy"), "-db", "-f", str(configuration)]
        with serving(argv, front, tmp_path / "log"):
            for source, served in (("127.0.0.2", True), ("127.0.0.3", False)):
                with connect_from(source, front) as client:
                    client.sendall(b"hello")
                    if served:
                        name = "{}:{}".format(*client.getsockname())
                        with backend.accept() as server:
                            assert receive_exactly(server, 5) == b"hello"
                            server.sendall(b"world")
                            assert receive_exactly(client, 5) == b"world"
                    else:
                        assert is_ended(client)
    assert name in {line["client"] for line in proxy.log.wait("connection")}
    (refused,) = [line for line in proxy.log.wait("clients_refused") if line["reason"] == "denied"]
    assert str(refused["last_client"]).startswith("127.0.0.3:")
