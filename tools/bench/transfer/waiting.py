"""Waiting for a socket that has no room or no bytes."""

import select
import socket

from tools.bench.errors import BenchError

TIMEOUT_S = 10.0


def until_writable(sock: socket.socket) -> None:
    """Wait for room.

    Raises:
        BenchError: there is none for 10 s.
    """
    _wait(sock, select.POLLOUT)


def until_readable(sock: socket.socket) -> None:
    """Wait for bytes.

    Raises:
        BenchError: there are none for 10 s.
    """
    _wait(sock, select.POLLIN)


def _wait(sock: socket.socket, event: int) -> None:
    poll = select.poll()
    poll.register(sock, event)
    if not poll.poll(TIMEOUT_S * 1000):
        raise BenchError(f"the other end did nothing for {TIMEOUT_S:g} s")
