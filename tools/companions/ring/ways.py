"""The ways between two processes that are compared: the ring, a pipe, a pair of sockets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType

from spliceproxy.kernel import syscalls
from tools.companions.ring.errors import RingError
from tools.companions.ring.ring import Wake, created
from tools.companions.ring.sender import Cost, Order

REPOSITORY = Path(__file__).resolve().parents[3]
_END_TIMEOUT_S = 5.0

Receive = Callable[[memoryview], int]
"""Fill a buffer as far as there are bytes; 0 at the end."""


class Sender:
    """A running sender."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def cost(self) -> Cost:
        """Wait for its end and return what it says.

        Raises:
            RingError: it failed, or does not end.
        """
        try:
            answer, _ = self.process.communicate(timeout=_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise RingError(f"the sender does not end within {_END_TIMEOUT_S:g} s") from None
        if self.process.returncode:
            raise RingError(f"the sender ended with status {self.process.returncode}")
        return Cost(**json.loads(answer))


@contextmanager
def _sending(way: str, order: Order, fds: tuple[int, ...]) -> Iterator[Sender]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.companions.ring.sender", way, order.as_json()],
        stdout=subprocess.PIPE,
        pass_fds=fds,
        cwd=REPOSITORY,
    )
    with process:
        try:
            yield Sender(process)
        finally:
            process.kill()  # does nothing to one that has ended by itself


@contextmanager
def pidfd(pid: int) -> Iterator[int]:
    """Hold a descriptor that becomes readable when the process ends (pidfd_open(2))."""
    fd = os.pidfd_open(pid)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _through_ring(
    wake: Wake, order: Order, capacity_bytes: int
) -> Iterator[tuple[Sender, Receive]]:
    with created(capacity_bytes, wake) as ring, pidfd(os.getpid()) as own_fd:
        fds = (*ring.fds, own_fd)
        way = f"{wake}:{','.join(map(str, fds))}"
        with (
            _sending(way, order, fds) as sender,
            pidfd(sender.process.pid) as sender_fd,
            ring.reader(sender_fd) as reader,
        ):
            yield sender, lambda buffer: reader.read_into(buffer, order.timeout_s)


@contextmanager
def _through_pipe(order: Order, capacity_bytes: int) -> Iterator[tuple[Sender, Receive]]:
    read_fd, write_fd = os.pipe()
    with open(read_fd, "rb", 0) as source, open(write_fd, "wb", 0) as drain:  # noqa: PTH123 - descriptors
        syscalls.set_pipe_capacity(write_fd, capacity_bytes)
        with _sending(f"fd:{write_fd}", order, (write_fd,)) as sender:
            drain.close()
            yield sender, source.readinto


@contextmanager
def _through_sockets(order: Order, capacity_bytes: int) -> Iterator[tuple[Sender, Receive]]:
    near, far = socket.socketpair()
    with near, far:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, capacity_bytes)
        with _sending(f"fd:{far.fileno()}", order, (far.fileno(),)) as sender:
            far.close()
            yield sender, near.recv_into


Way = Callable[[Order, int], AbstractContextManager[tuple[Sender, Receive]]]

WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "ring-eventfd": lambda order, capacity: _through_ring("eventfd", order, capacity),
        "ring-poll": lambda order, capacity: _through_ring("poll", order, capacity),
        "pipe": _through_pipe,
        "socketpair": _through_sockets,
    }
)
