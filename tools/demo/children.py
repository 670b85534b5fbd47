"""The two child processes of the demo: the origin, and spliceproxy in front of it."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from .proxy_log import Event, ProxyLog

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0


class ChildError(Exception):
    """A child process did not do its part; the message says which and how."""


class Proxy:
    """A running spliceproxy."""

    def __init__(self, process: trio.Process, log: ProxyLog, started: Event) -> None:
        self._process = process
        self.log = log
        self.started = started
        self.port = int(started["listeners"][0].rpartition(":")[2])

    async def stop(self) -> int:
        """Ask it to stop and return its exit status."""
        self._process.send_signal(signal.SIGTERM)
        with trio.move_on_after(STOP_TIMEOUT_S):
            return await self._process.wait()
        raise ChildError("spliceproxy did not stop when asked to")


@asynccontextmanager
async def _child(*command: str) -> AsyncIterator[tuple[trio.Process, trio.abc.ReceiveStream]]:
    """Run a command whose output we read and whose errors go to our own standard error."""
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 - it was opened with a pipe
    try:
        yield process, process.stdout
    finally:
        with trio.CancelScope(shield=True):
            await _end(process)
            await process.stdout.aclose()


async def _end(process: trio.Process) -> None:
    if process.poll() is None:
        process.terminate()
        with trio.move_on_after(STOP_TIMEOUT_S):
            await process.wait()
    if process.poll() is None:
        process.kill()
        await process.wait()


@asynccontextmanager
async def origin() -> AsyncIterator[int]:
    """Run the companion origin and yield its port."""
    async with _child(sys.executable, "-m", "tools.demo.origin") as (_, output):
        line = b""
        with trio.move_on_after(START_TIMEOUT_S):
            while not line.endswith(b"\n") and (received := await output.receive_some()):
                line += received
        if not line.endswith(b"\n"):
            raise ChildError("the origin did not start")
        yield int(line)


@asynccontextmanager
async def proxy(origin_port: int) -> AsyncIterator[Proxy]:
    """Run the installed command in front of the origin."""
    command = [str(Path(sys.executable).with_name("spliceproxy"))]
    command += ["--listen", "127.0.0.1:0", "--backend", f"127.0.0.1:{origin_port}"]
    command += ["--log-format", "json"]
    async with _child(*command) as (process, output), trio.open_nursery() as nursery:
        log = ProxyLog()
        nursery.start_soon(log.read_from, output)
        started = None
        with trio.move_on_after(START_TIMEOUT_S):
            started = await log.wait_started()
        if started is None:
            with trio.move_on_after(1):
                await process.wait()
            raise ChildError(f"spliceproxy did not start (exit status {process.returncode})")
        yield Proxy(process, log, started)
        nursery.cancel_scope.cancel()
