"""Listeners that answer nobody, because their backlog is full."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from spliceproxy.settings.address import TcpAddress, UnixAddress


@contextmanager
def full_tcp_backlog() -> Iterator[tuple[TcpAddress, socket.socket]]:
    """A listener that lets connection requests go unanswered."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # one more than fits, to be sure
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield TcpAddress("127.0.0.1", listener.getsockname()[1]), listener


@contextmanager
def full_unix_backlog() -> Iterator[tuple[UnixAddress, socket.socket]]:
    """A listener whose connects fail with EAGAIN; accepting makes room."""
    with ExitStack() as stack:
        path = stack.enter_context(tempfile.TemporaryDirectory()) + "/backend"
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen(0)
        listener.setblocking(False)
        while True:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            if client.connect_ex(path):
                break
        yield UnixAddress(path), listener
