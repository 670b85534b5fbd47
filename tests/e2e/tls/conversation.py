"""A conversation of openssl's programs, at one side of the proxy, with a plain socket at the other.

Another connection by TLS stays open in the same worker meanwhile, for what must not be harmed.
"""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.conftest import StartProxy
from tests.e2e.peers import Backend, receive_exactly
from tests.e2e.processes import is_listening, wait_until
from tests.e2e.proxy_command import ProxyCommand
from tests.e2e.reloading import RoutesFile
from tests.ports import free_port
from tests.tls.certificates import authority, certificate, client_context

from .openssl_peer import OpensslPeer

LISTENING: dict[str, Any] = {"address": "127.0.0.1:0", "tls": {"certificate": certificate()}}
DIALLING: dict[str, Any] = {"ca": authority(), "name": "localhost"}


@dataclass
class Conversation:
    """Both ends of it, and both of the other one's."""

    proxy: ProxyCommand
    peer: OpensslPeer
    far: socket.socket
    bystander: ssl.SSLSocket
    bystander_far: socket.socket

    def hear(self, text: bytes) -> None:
        """Have the peer send, and the other side receive."""
        self.peer.enter(text)
        assert receive_exactly(self.far, len(text)) == text

    def tell(self, text: bytes) -> None:
        """Have the other side send, and the peer receive."""
        self.far.sendall(text)
        self.peer.wait_for(text)

    def check_bystander(self) -> None:
        """Nobody else is harmed."""
        exchange(self.bystander, self.bystander_far)

    def reason(self) -> str:
        """Why the conversation is over, as the log has it."""
        lines = self.proxy.log.wait("connection")
        return str(next(line["reason"] for line in lines if line["route"] == "main"))


def exchange(client: ssl.SSLSocket, far: socket.socket) -> None:
    client.sendall(b"anybody there")
    assert receive_exactly(far, 13) == b"anybody there"
    far.sendall(b"yes")
    assert receive_exactly(client, 3) == b"yes"


class Openssl:
    """Starts conversations, in one version of TLS."""

    def __init__(
        self, start_proxy: StartProxy, program: Callable[[str], str], directory: Path
    ) -> None:
        self._start_proxy = start_proxy
        self._openssl = program("openssl")
        self._directory = directory

    @contextmanager
    def talk(self, side: str, version: str, *options: str) -> Iterator[Conversation]:
        """Be the client, or the backend."""
        with ExitStack() as stack:
            other = stack.enter_context(Backend())
            make = {"client": self._be_client, "backend": self._be_backend}[side]
            proxy, peer, far = make(stack, other, f"-tls{version.replace('.', '_')}", *options)
            raw = socket.create_connection(("127.0.0.1", port_of(proxy, 1)), 20)
            stack.enter_context(raw)
            bystander = client_context().wrap_socket(raw, server_hostname="localhost")
            stack.enter_context(bystander)
            bystander_far = stack.enter_context(other.accept())
            talk = Conversation(proxy, peer, far, bystander, bystander_far)
            talk.check_bystander()
            yield talk

    def _start(self, *, listen: Any, backend: Any, other: Backend) -> ProxyCommand:
        file = RoutesFile(self._directory / "routes.yaml", {"workers": 1})
        file.write(
            {"name": "main", "listen": listen, "backends": [backend]},
            {"name": "other", "listen": LISTENING, "backends": [other.address]},
        )
        return file.start(self._start_proxy)

    def _be_client(
        self, stack: ExitStack, other: Backend, *options: str
    ) -> tuple[ProxyCommand, OpensslPeer, socket.socket]:
        backend = stack.enter_context(Backend())
        proxy = self._start(listen=LISTENING, backend=backend.address, other=other)
        argv = [self._openssl, "s_client", "-connect", f"127.0.0.1:{proxy.port}", *options]
        argv += ["-CAfile", authority(), "-verify_return_error", "-verify_hostname", "localhost"]
        peer = stack.enter_context(OpensslPeer(argv))
        return proxy, peer, stack.enter_context(backend.accept())

    def _be_backend(
        self, stack: ExitStack, other: Backend, *options: str
    ) -> tuple[ProxyCommand, OpensslPeer, socket.socket]:
        port = free_port()
        argv = [self._openssl, "s_server", "-accept", f"127.0.0.1:{port}", *options]
        peer = stack.enter_context(OpensslPeer([*argv, "-cert", certificate()]))
        wait_until(lambda: is_listening(port), 20, "s_server")
        backend = {"address": f"127.0.0.1:{port}", "tls": DIALLING}
        proxy = self._start(listen="127.0.0.1:0", backend=backend, other=other)
        return proxy, peer, stack.enter_context(proxy.connect())


def port_of(proxy: ProxyCommand, number: int) -> int:
    """Of a listener, in the order of the routes."""
    return int(proxy.started["listeners"][number].rpartition(":")[2])
