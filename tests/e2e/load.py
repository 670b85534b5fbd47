"""Connections one after the other against an echo: what fails is counted, and not forgiven."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from .port_printing import running_module

PAYLOAD = b"0123456789" * 50
TIMEOUT_S = 20


@contextmanager
def echo_server() -> Iterator[str]:
    """Run an echo for thousands of connections; yields its HOST:PORT."""
    with running_module("tests.e2e.idle_backend") as address:
        yield address


def exchange(client: socket.socket, payload: bytes = PAYLOAD) -> None:
    """Send something, and get it back."""
    client.sendall(payload)
    received = b""
    while len(received) < len(payload):
        piece = client.recv(len(payload))
        assert piece, "the end came early"
        received += piece
    assert received == payload


class EchoLoad:
    """Makes connections in threads until the block ends."""

    def __init__(self, port: int, threads: int = 3) -> None:
        self._port = port
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self.completed = 0
        self.failures: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def _work(self) -> None:
        while not self._stop.is_set():
            failure = ""
            try:
                with socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S) as client:
                    exchange(client)
            except (OSError, AssertionError) as error:
                failure = repr(error)
            with self._changed:
                self.completed += not failure
                if failure:
                    self.failures[failure] += 1
                self._changed.notify_all()

    def complete_more(self, count: int) -> None:
        """Wait until so many more connections have been completed."""
        with self._changed:
            goal = self.completed + count
            assert self._changed.wait_for(lambda: self.completed >= goal, 30), self.failures

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)
