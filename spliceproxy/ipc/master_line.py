"""What master and admin process tell one another: packets, some with a descriptor.

A description may be of any length, so it travels as a file in memory.
"""

import json
import os
import socket
from dataclasses import asdict

from spliceproxy.ipc.description import (
    BackendDescription,
    Description,
    MirrorDescription,
    RouteDescription,
)
from spliceproxy.ipc.packets import MAX_PACKET_BYTES, decode, encode
from spliceproxy.kernel.memory_file import make_memory_file

RELOAD = "reload"
"""Admin process to master."""
DRAIN = "drain"
"""Admin process to master."""
LOG_LEVEL = "log_level"
"""Admin process to master, with the level as `level`."""

DESCRIPTION = "description"
"""Master to admin process, with a file."""
WORKER = "worker"
"""Master to admin process: one has been forked, with its `slot` and the line to it."""
WORKER_GONE = "worker_gone"
"""Master to admin process: one has ended, with its `slot`."""
REOPEN_LOG = "reopen_log"
"""Master to admin process: go on in the file that comes along, in place of the log's of that
`number`."""


class MasterLine:
    """The master's end; it never waits.

    BlockingIOError from any method: the admin process does not listen. BrokenPipeError: it is gone.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def describe(self, description: Description) -> None:
        """Tell what the proxy is set up to do now."""
        fd = make_memory_file("spliceproxy-description")
        with os.fdopen(fd, "w+b") as file:
            file.write(json.dumps(asdict(description)).encode())
            file.flush()
            self._send({"what": DESCRIPTION}, [fd])

    def add_worker(self, slot: int, line: socket.socket) -> None:
        """Hand over the line to a worker."""
        self._send({"what": WORKER, "slot": slot}, [line.fileno()])

    def remove_worker(self, slot: int) -> None:
        """Tell that a worker has ended."""
        self._send({"what": WORKER_GONE, "slot": slot}, [])

    def reopen_log(self, number: int, fd: int) -> None:
        """Hand over a file of the log: the one before has been renamed."""
        self._send({"what": REOPEN_LOG, "number": number}, [fd])

    def _send(self, message: dict[str, object], fds: list[int]) -> None:
        socket.send_fds(self._socket, [encode(message)], fds, socket.MSG_NOSIGNAL)


def receive(sock: socket.socket) -> tuple[dict[str, object], int | None] | None:
    """Take a message of the master, and the descriptor that came with it; None: it is gone."""
    packet, fds, _, _ = socket.recv_fds(sock, MAX_PACKET_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
    return (decode(packet), fds[0] if fds else None) if packet else None


def read_description(fd: int) -> Description:
    """Read a description, and close its file."""
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        told = json.loads(file.read())
    routes = tuple(
        RouteDescription(
            **{
                **route,
                "listeners": tuple(route["listeners"]),
                "backends": tuple(BackendDescription(**one) for one in route["backends"]),
                "mirrors": tuple(MirrorDescription(**one) for one in route["mirrors"]),
            }
        )
        for route in told["routes"]
    )
    return Description(**{**told, "routes": routes})
