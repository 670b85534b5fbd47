"""Connections that were used once and are then held open without a word.

Started as a program: python -m tools.bench.loads.idle_connections PORT [tls]
It reads a count per line on stdin, opens connections until it holds that many, and says so.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.bench import children, placement, ports
from tools.bench.loads import tls_client

QUESTION = b"PING\r\n"  # understood by redis-server as well
ANSWER_TIMEOUT_S = 10.0
HOLD_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Holder:
    """The running program."""

    child: children.Child

    def hold(self, count: int) -> None:
        """Return once `count` connections are open, each answered by the origin once."""
        stdin = self.child.process.stdin
        assert stdin is not None  # noqa: S101 - every child has one
        stdin.write(f"{count}\n".encode())
        stdin.flush()
        answer = f"holding {count}"
        self.child.wait_until(lambda: self.child.last_words() == answer, answer, HOLD_TIMEOUT_S)


@contextmanager
def holding(
    port: int, where: placement.Placement, directory: Path, *, tls: bool = False
) -> Iterator[Holder]:
    argv = [*placement.taskset(where.load_cpus), sys.executable, "-m", __name__, str(port)]
    argv += ["tls"] if tls else []
    with children.running("idle-connections", argv, directory) as child:
        holder = Holder(child)
        holder.hold(0)
        yield holder


def _answered_connection(port: int, context: ssl.SSLContext | None) -> socket.socket:
    connection = socket.create_connection((ports.HOST, port), timeout=ANSWER_TIMEOUT_S)
    if context is not None:
        connection = context.wrap_socket(connection)
    connection.sendall(QUESTION)
    if not connection.recv(1024):
        raise ConnectionError("closed without an answer")
    return connection


def _serve_counts(port: int, context: ssl.SSLContext | None) -> None:
    held: list[socket.socket] = []
    for line in sys.stdin:
        while len(held) < int(line):
            try:
                held.append(_answered_connection(port, context))
            except OSError as error:
                sys.exit(f"connection {len(held) + 1} of {int(line)}: {error}")
        print(f"holding {len(held)}", flush=True)


if __name__ == "__main__":
    _serve_counts(int(sys.argv[1]), tls_client.context() if "tls" in sys.argv[2:] else None)
