"""Ten thousand connections that do nothing cost two descriptors each, and no pipe."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from .conftest import StartProxy
from .load import echo_server
from .peers import receive_exactly
from .processes import descriptors, wait_until
from .proxy_command import KEPT_PIPE_DESCRIPTORS, ProxyCommand

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.alone("its connections take most of the ports that the kernel chooses from"),
    pytest.mark.timeout(180),
]

CONNECTIONS = 10_000
OWN_DESCRIPTORS = 500


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = CONNECTIONS + OWN_DESCRIPTORS
    if hard < needed:
        pytest.skip(f"the hard limit of open files is {hard}; this needs {needed}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def echo(client: socket.socket, message: bytes) -> bytes:
    client.sendall(message)
    return receive_exactly(client, len(message))


def told(proxy: ProxyCommand) -> int:
    """Count the connections in the log, and those that it says it had no room for."""
    dropped = sum(int(line["count"]) for line in proxy.log.all("log_lines_dropped"))
    return len(proxy.log.all("connection")) + dropped


@pytest.mark.usefixtures("many_descriptors")
def test_ten_thousand_idle_connections(start_proxy: StartProxy) -> None:
    with echo_server() as backend, ExitStack() as stack:
        proxy = start_proxy("--backend", backend, "--workers", "2")
        clients = []
        for number in range(CONNECTIONS):
            client = stack.enter_context(proxy.connect(timeout_s=60))
            # Each has been used: what a connection borrowed, it has given back.
            if number % 10 == 0:
                assert echo(client, b"hello") == b"hello"
            clients.append(client)
        wait_until(
            lambda: sum(proxy.sockets_above_baseline().values()) >= 2 * CONNECTIONS,
            60,
            "every connection has its backend",
        )
        assert sum(proxy.sockets_above_baseline().values()) == 2 * CONNECTIONS
        pipes = sum(descriptors(pid)["pipe"] for pid in proxy.workers())
        assert pipes <= 2 * KEPT_PIPE_DESCRIPTORS
        for number in range(0, CONNECTIONS, 97):
            message = str(number).encode()
            assert echo(clients[number], message) == message
        stack.close()
        wait_until(
            lambda: not any(proxy.sockets_above_baseline().values()), 20, "all sockets are closed"
        )
        wait_until(lambda: told(proxy) >= CONNECTIONS, 20, "the log tells every connection")
    assert told(proxy) == CONNECTIONS
    assert {line["reason"] for line in proxy.log.all("connection")} == {"closed"}
