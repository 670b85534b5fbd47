"""A proxy under soak: started, asked, reloaded, and stopped."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import trio

from spliceproxy.cli.admin_client import AdminClient
from spliceproxy.errors import AskingProblem
from spliceproxy.settings.address import UnixAddress
from tools.bench import children, process_tree
from tools.soak.errors import SoakError
from tools.soak.load import Front
from tools.soak.routes import ROUTES, Files, RoutesFile
from tools.soak.setting import Setting

ANSWER_TIMEOUT_S = 60.0
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0

Status = dict[str, Any]
Event = dict[str, Any]


@dataclass
class Proxy:
    """A running proxy."""

    name: str
    is_shaken: bool
    """Whether it is reloaded, and its workers are killed."""
    child: children.Child
    files: Files
    routes_file: RoutesFile
    admin: AdminClient
    turn: int = 0
    reloads: list[float] = field(default_factory=list)
    """When they began: seconds since 1970."""
    kills: list[float] = field(default_factory=list)
    attached: int = 0
    """How many mirrors have been attached to it so far."""
    refusals: list[str] = field(default_factory=list)
    """Orders that were refused, and why."""
    faults: list[str] = field(default_factory=list)
    """What it has not done though it was to."""

    @property
    def front(self) -> Front:
        return Front(self.name, self.routes_file.listeners)

    async def ask(self, path: str, **query: str) -> Any:
        """Ask the admin interface.

        Raises:
            AskingProblem: it does not answer.
        """
        return await trio.to_thread.run_sync(
            partial(self.admin.get, path, **query), abandon_on_cancel=True
        )

    async def order(self, path: str, **details: object) -> Any:
        """Give an order; None: it was refused, which is noted."""
        try:
            return await trio.to_thread.run_sync(
                partial(self.admin.post, path, **details), abandon_on_cancel=True
            )
        except AskingProblem as problem:
            self.refusals.append(f"{path}: {problem}")
            return None

    async def status(self) -> Status:
        found: Status = await self.ask("/api/status")
        return found

    async def reload(self, turn: int) -> None:
        """Take up the routes file of that turn."""
        self.routes_file.write(turn)
        self.reloads.append(time.time())
        if await self.order("/api/reload") is None:
            self.faults.append(f"a reload was refused: {self.refusals[-1]}")

    def processes(self) -> list[process_tree.ProcessStat]:
        return process_tree.tree(self.child.pid)

    def log(self) -> list[Event]:
        """Return all lines of its log so far."""
        return [json.loads(line) for line in self.files.log.read_text().splitlines()]

    def stop(self) -> str:
        """Ask it to end; what is wrong with how it did, or nothing."""
        pids = {stat.pid for stat in self.processes()}
        self.child.process.terminate()
        try:
            status = self.child.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return f"no end within {STOP_TIMEOUT_S:.0f} s"
        if status:
            return f"exit status {status}: {self.child.last_words()}"
        left = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        return f"left behind: {len(left)} processes" if left else ""


@contextmanager
def proxy(
    name: str, setting: Setting, reload_drain_timeout_s: float, *, is_shaken: bool
) -> Iterator[Proxy]:
    """Start a proxy, and end it with the block."""
    files = Files(setting.directory / name)
    files.directory.mkdir(mode=0o700)
    files.looks.mkdir(mode=0o700)
    listeners = [setting.addresses.take() for _ in ROUTES]
    routes_file = RoutesFile(files, setting, listeners, reload_drain_timeout_s)
    routes_file.write(0)
    argv = [sys.executable, "-m", "spliceproxy", "--config", str(files.routes)]
    with children.running(name, argv, setting.directory) as child:
        admin = AdminClient(UnixAddress(str(files.admin)), None, timeout_s=ANSWER_TIMEOUT_S)
        yield Proxy(name, is_shaken, child, files, routes_file, admin)


async def wait_started(proxy: Proxy) -> None:
    """Wait until it accepts connections and orders.

    Raises:
        SoakError: it does not.
    """
    with trio.move_on_after(START_TIMEOUT_S):
        while proxy.child.process.poll() is None:
            try:
                await proxy.status()
            except AskingProblem:
                await trio.sleep(0.1)
            else:
                return
    raise SoakError(f"{proxy.name} did not start: {proxy.child.last_words()}")
