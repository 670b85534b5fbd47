"""The routes file of a proxy under soak, which is another one with each turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.soak.addresses import Address
from tools.soak.setting import BACKENDS, HOST_NAME, SRV_NAME, Setting

WORKERS = 2
ALWAYS_LISTED = BACKENDS - 1
"""Backends that the route has in each turn: one of them may be down."""
BALANCES = ("least_connections", "round_robin", "random_two", "source_hash")
TURNS = 12
"""After so many the first file comes again: what changes does so every 2, 3 and 4 turns."""
ROUTES = ("pool", "named", "copied")
AUDITED = ("pool", "named")
"""Routes with a file mirror."""
FILE_MIRROR = {"max_bytes": "1MiB", "max_total": "128MiB"}
"""So that minutes of copies don't fill a disk."""

Route = dict[str, Any]


@dataclass(frozen=True)
class Files:
    """Where a proxy keeps what."""

    directory: Path

    @property
    def routes(self) -> Path:
        return self.directory / "routes.yaml"

    @property
    def admin(self) -> Path:
        return self.directory / "admin"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def access_log(self) -> Path:
        return self.directory / "access_log"

    @property
    def looks(self) -> Path:
        """Where mirrors that are attached may write."""
        return self.directory / "looks"

    def audit(self, route: str) -> Path:
        return self.directory / f"audit-{route}"


@dataclass(frozen=True)
class RoutesFile:
    """Writes the file of a turn."""

    files: Files
    setting: Setting
    listeners: Sequence[Address]
    """One for each of `ROUTES`."""
    reload_drain_timeout_s: float

    def write(self, turn: int) -> None:
        """Replace the file in one step, as an editor does."""
        new = self.files.routes.with_suffix(".new")
        new.write_text(yaml.safe_dump(self._settings(turn)))
        new.rename(self.files.routes)

    def _settings(self, turn: int) -> dict[str, Any]:
        files = self.files
        attach = ["tcp", "null", "exec", f"file:{files.looks}"]
        host, port = self.setting.names.address.host, self.setting.names.address.port
        return {
            "workers": WORKERS,
            "drain_timeout": "5s",
            "reload_drain_timeout": f"{self.reload_drain_timeout_s * 1000:.0f}ms",
            "mirror_budget": "64MiB",
            "admin": {"listen": f"unix:{files.admin}", "attach": attach},
            "dns": {"servers": [f"{host}:{port}"]},
            "log": {"to": f"file:{files.log}", "format": "json"},
            "access_log": {"to": f"file:{files.access_log}", "format": "json"},
            "defaults": {"balance": BALANCES[turn % len(BALANCES)]},
            "routes": [self._pool(turn), self._named(), self._copied(turn), *self._coming(turn)],
        }

    def _pool(self, turn: int) -> Route:
        backends = [str(backend.address) for backend in self.setting.backends]
        return {
            "name": "pool",
            "listen": str(self.listeners[0]),
            "backends": backends[: ALWAYS_LISTED + (turn + 1) % 2],
            # Where every processor is taken an answer may be late, and no backend is down for that.
            "health_check": {"interval": "500ms", "timeout": "10s", "fall": 2, "rise": 1},
            "mirrors": [
                {"to": f"file:{self.files.audit('pool')}", "overflow": "block", **FILE_MIRROR},
                *(["null:"] if turn % 2 else []),
            ],
        }

    def _named(self) -> Route:
        return {
            "name": "named",
            "listen": str(self.listeners[1]),
            "backends": [f"srv:{SRV_NAME}"],
            "mirrors": [
                {"to": f"file:{self.files.audit('named')}", "overflow": "gap", **FILE_MIRROR},
                {
                    "to": f"tcp://{self.setting.steady_sink.address}",
                    "direction": "response",
                    "overflow": "spill",
                    "spool": "64MiB",
                },
            ],
        }

    def _copied(self, turn: int) -> Route:
        return {
            "name": "copied",
            "listen": str(self.listeners[2]),
            "backends": [f"{HOST_NAME}:{self.setting.backend_port}"],
            "resolve_interval": "1s",
            "mirrors": [
                {"to": f"tcp://{self.setting.stalling_sink.address}", "buffer": "256KiB"},
                {"to": f"tcp://{self.setting.dying_sink.address}", "overflow": "spill"},
                {"to": "exec:cat", "sample": "30%", "max_processes": 8},
                *([{"to": "exec:wc -c", "scope": "route"}] if turn % 2 else []),
                "null:",
            ],
        }

    def _coming(self, turn: int) -> list[Route]:
        """Return a route that is there with every other turn, at a socket of its own."""
        if turn % 2 == 0:
            return []
        listen = ["127.0.0.1:0", f"unix:{self.files.directory}/coming{turn % 3}"]
        return [{"name": "coming", "listen": listen, "backends": [f"srv:{SRV_NAME}"]}]
