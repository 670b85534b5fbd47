"""Accepting, with connections that only note what happens to them."""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.listening import listen_tcp
from spliceproxy.kernel.sockets import Socket
from tools.companions.origin.server import serve

from .serving import TIMEOUT_S

CLIENTS = 5


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen_tcp(socket.AF_INET, ("127.0.0.1", 0), 100, 0) as opened:
        yield opened


@pytest.fixture
def waiting_clients(listener: socket.socket) -> Iterator[None]:
    """Connections in the backlog before anybody serves."""
    with ExitStack() as stack:
        for _client in range(CLIENTS):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        yield


class Noting:
    """Makes connections that end at once, and notes their lives in order."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.all_over = trio.Event()
        self.failure: Exception | None = None

    def make(self, sock: Socket, _peer: str) -> "NotingConnection":
        self.notes.append("accepted")
        return NotingConnection(self, sock)


class NotingConnection:
    """A connection without a conversation."""

    def __init__(self, noting: Noting, sock: Socket) -> None:
        self._noting = noting
        self._sock = sock

    async def run(self) -> None:
        self._noting.notes.append("served")
        self._sock.close()
        if self._noting.notes.count("served") == CLIENTS:
            self._noting.all_over.set()
        if self._noting.failure is not None:
            raise self._noting.failure


async def serve_all(listener: socket.socket, noting: Noting, max_connections: int = 100) -> None:
    with trio.fail_after(TIMEOUT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, [listener], noting.make, max_connections)
            await noting.all_over.wait()
            nursery.cancel_scope.cancel()


@pytest.mark.usefixtures("waiting_clients")
async def test_a_batch_is_accepted_before_the_first_is_served(listener: socket.socket) -> None:
    noting = Noting()
    await serve_all(listener, noting)
    assert noting.notes == ["accepted"] * CLIENTS + ["served"] * CLIENTS


@pytest.mark.usefixtures("waiting_clients")
async def test_a_batch_is_no_larger_than_the_places_left(listener: socket.socket) -> None:
    noting = Noting()
    await serve_all(listener, noting, max_connections=2)
    assert noting.notes[:4] == ["accepted", "accepted", "served", "served"]


@pytest.mark.usefixtures("waiting_clients")
async def test_a_fault_of_one_connection_is_told_and_survived(
    listener: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    noting = Noting()
    noting.failure = ZeroDivisionError("a fault")
    await serve_all(listener, noting)
    assert capsys.readouterr().err.count("ZeroDivisionError: a fault") == CLIENTS


@pytest.mark.usefixtures("waiting_clients")
async def test_without_descriptors_it_waits_for_some(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failures = [errno.EMFILE, errno.ECONNABORTED]
    accept = syscalls.accept

    def refuse_first(listening: socket.socket, family: int) -> tuple[Socket, object]:
        if failures:
            raise OSError(failures[0], errno.errorcode[failures.pop(0)])
        return accept(listening, family)

    monkeypatch.setattr(syscalls, "accept", refuse_first)
    noting = Noting()
    await serve_all(listener, noting)
    assert capsys.readouterr().err == "not accepting for now: EMFILE\n"
