"""The status page of a busy proxy, in a real browser."""

import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import trio

from spliceproxy.admin.api import Api
from spliceproxy.admin.attachments import AttachmentDirectory
from spliceproxy.admin.guard import Guard
from spliceproxy.admin.operations import Operations
from spliceproxy.admin.server import Door, Server
from spliceproxy.admin.worker_lines import WorkerLines
from spliceproxy.ipc.shared_table import private_row
from spliceproxy.observe.status import Status
from spliceproxy.policy.selection import Selection
from tests.admin.busy import busy, busy_connections

HOST = "127.0.0.1"
WATCHED_MS = 20_000
"""Of the page's own time, which passes as fast as its requests are answered."""
BROWSER_TIMEOUT_S = 50


class BusyOperations(Operations):
    """What the page asks, told of a proxy that is not there."""

    def __init__(self, told: Callable[[int], Status] = busy) -> None:
        self.steps = 0
        self._told = told

    def status(self) -> Status:
        self.steps += 1
        return self._told(self.steps)

    async def connections(self, selection: Selection, limit: int) -> dict[str, Any]:
        return {"found": busy_connections(self.steps)[:limit], "silent": []}


NO_ATTACHMENTS = cast(AttachmentDirectory, None)  # the page asks for none


@asynccontextmanager
async def page(operations: Operations, token: str | None = None) -> AsyncIterator[str]:
    """Serve the page; yields where."""
    with socket.create_server((HOST, 0)) as sock:
        sock.setblocking(False)
        attachments = AttachmentDirectory(operations, WorkerLines(), private_row("numbers"), ())
        api = Api(operations, attachments)
        server = Server([Door(sock, Guard(token))], api.handle)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run)
            yield f"http://{HOST}:{sock.getsockname()[1]}/"
            nursery.cancel_scope.cancel()


@dataclass(frozen=True)
class Browser:
    """Debian's Chromium, without a window."""

    program: str
    profile: Path
    watched_ms: int = WATCHED_MS

    async def dom(self, url: str, *, may_fail: bool = False) -> str:
        """Return the page as it has become; the browser must have had nothing to complain of,
        save of requests that fail if they may.
        """
        return await self._run(url, "--dump-dom", may_fail=may_fail)

    async def screenshot(self, url: str, path: Path, width: int, height: int, *more: str) -> None:
        await self._run(url, f"--screenshot={path}", f"--window-size={width},{height}", *more)

    async def _run(self, url: str, *arguments: str, may_fail: bool = False) -> str:
        with trio.fail_after(BROWSER_TIMEOUT_S):
            done = await trio.run_process(
                [
                    self.program,
                    "--headless",
                    "--no-sandbox",
                    "--disable-dev-shm-usage",
                    "--no-first-run",
                    "--disable-background-networking",
                    # As DNS does when its owner wants it to: rebinding.
                    f"--host-resolver-rules=MAP evil.example {HOST}",
                    "--enable-logging=stderr",
                    f"--user-data-dir={self.profile}",
                    f"--virtual-time-budget={self.watched_ms}",
                    *arguments,
                    url,
                ],
                stdin=subprocess.DEVNULL,
                capture_stdout=True,
                capture_stderr=True,
            )
        complaints = [line for line in done.stderr.decode().splitlines() if "CONSOLE" in line]
        if may_fail:
            complaints = [line for line in complaints if "Failed to load resource" not in line]
        assert complaints == []
        return done.stdout.decode()
