"""Small buffers for the proxy's own sockets, through the one syscall layer."""

from typing import Any

import pytest

from spliceproxy.kernel import syscalls
from tests.streams import Buffers


def shrink_proxy_sockets(monkeypatch: pytest.MonkeyPatch, buffers: Buffers) -> None:
    """From now on whatever a proxy accepts or opens has these buffers."""
    real_accept, real_open = syscalls.accept, syscalls.open_socket

    def accept(*arguments: Any) -> Any:
        sock, address = real_accept(*arguments)
        buffers.apply(sock)
        return sock, address

    def open_socket(family: int) -> Any:
        sock = real_open(family)
        buffers.apply(sock)
        return sock

    monkeypatch.setattr(syscalls, "accept", accept)
    monkeypatch.setattr(syscalls, "open_socket", open_socket)
