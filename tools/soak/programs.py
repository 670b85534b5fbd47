"""Servers of the soak that are killed, stopped and started again at the same address."""

import os
import signal
import socket
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

from tools.bench import children
from tools.soak.addresses import Address

_CONNECT_TIMEOUT_S = 1.0
_START_TIMEOUT_S = 60.0


def is_reachable(address: Address) -> bool:
    try:
        socket.create_connection((address.host, address.port), _CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True


class Program:
    """A server in a process of its own; leaving the block ends it."""

    def __init__(self, name: str, argv: list[str], address: Address, directory: Path) -> None:
        self.name = name
        self.address = address
        self.starts = 0
        self._argv = argv
        self._directory = directory
        self._child: children.Child | None = None
        self._running = ExitStack()
        self._is_paused = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.resume()
        self._running.close()

    async def start(self) -> None:
        """Start it, and wait until it accepts connections.

        Raises:
            BenchError: it ends, or takes too long.
        """
        self.starts += 1
        name = f"{self.name}-{self.starts}"
        self._child = self._running.enter_context(
            children.running(name, self._argv, self._directory)
        )
        wait = partial(
            self._child.wait_until,
            partial(is_reachable, self.address),
            f"reachable at {self.address}",
            _START_TIMEOUT_S,
        )
        await trio.to_thread.run_sync(wait, abandon_on_cancel=True)

    async def kill(self) -> None:
        """End it as a crash would."""
        self._send(signal.SIGKILL)
        self._is_paused = False
        await trio.to_thread.run_sync(self._running.close)

    def pause(self) -> None:
        """Have it stand still: connections to it are accepted by the kernel, and not served."""
        self._send(signal.SIGSTOP)
        self._is_paused = True

    def resume(self) -> None:
        if self._is_paused:
            self._send(signal.SIGCONT)
            self._is_paused = False

    def _send(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.process.poll() is None:
            os.kill(self._child.pid, number)

    def said(self) -> list[str]:
        """Return all lines of its output, of every start."""
        outputs = sorted(self._directory.glob(f"{self.name}-*.out"))
        return [line for path in outputs for line in path.read_text().splitlines()]


def backend(name: str, address: Address, directory: Path) -> Program:
    argv = [sys.executable, "-m", "tools.soak.backend", address.host, str(address.port)]
    return Program(name, argv, address, directory)


def sink(name: str, address: Address, directory: Path) -> Program:
    argv = [sys.executable, "-m", "tools.companions.sink", "--listen", str(address)]
    return Program(name, [*argv, "--max-connections", "10000"], address, directory)
