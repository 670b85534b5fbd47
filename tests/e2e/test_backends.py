"""Several backends, and backends that are not there."""

import socket
import time

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import TIMEOUT_S, Backend, receive_to_end

pytestmark = pytest.mark.e2e


def test_backends_take_turns(start_proxy: StartProxy) -> None:
    with Backend() as first, Backend() as second:
        arguments = ("--backend", first.address, "--backend", second.address)
        proxy = start_proxy(*arguments, "--workers", "1")
        for _ in range(3):
            for backend in (first, second):
                with proxy.connect(), backend.accept():
                    pass
        lines = proxy.log.wait("connection", count=6)
    assert {line["backend"] for line in lines} == {first.address, second.address}


def test_the_next_backend_is_tried_when_one_refuses(start_proxy: StartProxy) -> None:
    with Backend() as backend:
        refusing = f"127.0.0.1:{free_port()}"
        proxy = start_proxy("--backend", refusing, "--backend", backend.address)
        for _ in range(10):
            with proxy.connect() as client, backend.accept() as server:
                server.sendall(b"here")
                server.shutdown(socket.SHUT_WR)
                assert receive_to_end(client) == b"here"
        lines = proxy.log.wait("connection", count=10)
    assert {(line["backend"], line["reason"]) for line in lines} == {(backend.address, "closed")}


def test_a_backend_that_refuses_resets_the_client(start_proxy: StartProxy) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{free_port()}")
    # The reset may come before connect() has returned.
    with pytest.raises(ConnectionResetError), proxy.connect() as client:
        client.recv(1)
    line = proxy.log.wait("connection")[0]
    assert line["reason"] == "backend_refused"
    assert (line["request_bytes"], line["response_bytes"]) == (0, 0)


def test_a_backend_that_never_answers_is_given_up(start_proxy: StartProxy) -> None:
    # A full backlog drops further SYNs: the kernel keeps one connection more than asked for.
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as deaf,
        socket.create_connection(deaf.getsockname(), timeout=TIMEOUT_S),
    ):
        backend = "127.0.0.1:{1}".format(*deaf.getsockname())
        proxy = start_proxy("--backend", backend, "--connect-timeout", "300ms")
        start_s = time.monotonic()
        with proxy.connect() as client, pytest.raises(ConnectionResetError):
            client.recv(1)
        assert time.monotonic() - start_s >= 0.29
        assert proxy.log.wait("connection")[0]["reason"] == "connect_timeout"


def test_a_silent_connection_ends_at_the_idle_timeout(start_proxy: StartProxy) -> None:
    with Backend() as backend:
        proxy = start_proxy("--backend", backend.address, "--idle-timeout", "500ms")
        with proxy.connect() as client, backend.accept() as server:
            for end in (client, server):
                with pytest.raises(ConnectionResetError):
                    end.recv(1)
        assert proxy.log.wait("connection")[0]["reason"] == "idle_timeout"
