"""The places on the network that mirrors send to: one that drains, one that is dead, one gone."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.bench import children, placement, ports
from tools.bench.loads import drain


@contextmanager
def draining(where: placement.Placement, directory: Path) -> Iterator[int]:
    """Yield the port of a program that reads all it gets and throws it away."""
    port = ports.free_port()
    argv = [*placement.taskset(where.load_cpus), sys.executable, "-m", drain.__name__, str(port)]
    with children.running("drain", argv, directory) as child:
        child.wait_listening(port)
        yield port


@contextmanager
def dead() -> Iterator[int]:
    """Yield a port where the kernel accepts connections and nobody ever reads from them."""
    with socket.create_server((ports.HOST, 0), backlog=4096) as listener:
        yield listener.getsockname()[1]


@contextmanager
def refusing() -> Iterator[int]:
    """Yield a port that is taken, so that nobody else listens there, and refuses connections."""
    with socket.socket() as holder:
        holder.bind((ports.HOST, 0))
        yield holder.getsockname()[1]
