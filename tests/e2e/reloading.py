"""A routes file that changes while the command serves it."""

import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .conftest import StartProxy
from .log_lines import Event
from .processes import wait_until
from .proxy_command import ProxyCommand


@dataclass
class RoutesFile:
    """The file; by default with one route, and two workers."""

    path: Path
    settings: dict[str, Any] = field(default_factory=lambda: {"workers": 2})

    def write(self, *routes: dict[str, Any], **settings: Any) -> None:
        """Replace the file in one step, as an editor does."""
        new = self.path.with_suffix(".new")
        new.write_text(yaml.safe_dump({**self.settings, **settings, "routes": list(routes)}))
        new.rename(self.path)

    def start(self, start_proxy: StartProxy) -> ProxyCommand:
        return start_proxy("--config", str(self.path))


def route(listen: Any, backend: str, **others: Any) -> dict[str, Any]:
    return {"name": "main", "listen": listen, "backends": [backend], **others}


def reload(proxy: ProxyCommand) -> Event:
    """Ask for a reload, and return what the log says of it when it has succeeded."""
    before = len(proxy.log.all("reloaded"))
    refusals = proxy.log.all("reload_refused")
    proxy.process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: (
            len(proxy.log.all("reloaded")) > before or proxy.log.all("reload_refused") != refusals
        ),
        20,
        "the end of the reload",
    )
    assert proxy.log.all("reload_refused") == refusals
    return proxy.log.all("reloaded")[-1]


def refused(proxy: ProxyCommand) -> Event:
    """Ask for a reload, and return what the log says of it when it was refused."""
    proxy.expected_errors.add("reload_refused")
    before = len(proxy.log.all("reload_refused"))
    proxy.process.send_signal(signal.SIGHUP)
    return proxy.log.wait("reload_refused", before + 1)[-1]


def wait_for_generation(proxy: ProxyCommand, number: int) -> None:
    """Wait until all generations before have ended."""
    wait_until(
        lambda: len(proxy.log.all("generation_ended")) >= number - 1, 20, "older ones have ended"
    )
