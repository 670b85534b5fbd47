"""What every test of mirroring runs under."""

import socket

import pytest

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.sinks import last_flush, stream_outlet
from spliceproxy.sinks.command_outlet import CommandOutlet
from tests.proxy.conftest import log_has_its_defaults, no_descriptor_is_left_open
from tests.sinks.leftovers import no_thread_and_no_process_is_left
from tests.tls.certificates import trusted

__all__ = [
    "log_has_its_defaults",
    "no_descriptor_is_left_open",
    "no_thread_and_no_process_is_left",
    "trusted",
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mirrors that stand still are given up soon; only for those that stand still for ever."""
    monkeypatch.setattr(last_flush, "FLUSH_TIMEOUT_S", 0.2)
    monkeypatch.setattr(CommandOutlet, "goodbye_s", 0.2)
    monkeypatch.setattr(stream_outlet, "CONNECT_TIMEOUT_S", 0.2)


@pytest.fixture
def small_mirror_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel takes little for a mirror that does not read; traffic has its usual buffers."""
    real = stream_outlet.StreamOutlet.connected

    def connected(self: stream_outlet.StreamOutlet, sock: Socket, target: SocketAddress) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 << 10)
        real(self, sock, target)

    monkeypatch.setattr(stream_outlet.StreamOutlet, "connected", connected)
