"""A proxy's admin interface as its users see it: by HTTP, and by `spliceproxy ctl`."""

import json
import subprocess
from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from spliceproxy.cli.admin_client import AdminClient
from spliceproxy.errors import AskingProblem
from spliceproxy.settings.address import UnixAddress

from .processes import wait_until
from .proxy_command import Launcher

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Administered:
    """Asks a proxy that listens there for its admin."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.client = AdminClient(UnixAddress(str(path)), None)

    def wait(self) -> None:
        """Wait until it answers: it is started after the workers."""
        wait_until(self._answers, 20, "the admin interface answers")

    def _answers(self) -> bool:
        try:
            self.status()
        except AskingProblem:
            return False
        return True

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.client.get("/api/status")
        return status

    def route(self, name: str = "main") -> dict[str, Any]:
        return next(route for route in self.status()["routes"] if route["name"] == name)

    def backend(self, name: str, route: str = "main") -> dict[str, Any]:
        return next(one for one in self.route(route)["backends"] if one["name"] == name)

    def ctl(self, *arguments: str, status: int = 0) -> Any:
        """Run the installed command; returns its JSON, or what it complains of."""
        launcher = Launcher()
        done = subprocess.run(
            [*launcher.argv, "ctl", "--admin", f"unix:{self.path}", "--json", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=launcher.environment,
            check=False,
        )
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout else done.stderr

    def curl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["curl", "-sS", "-m", "20", "--unix-socket", str(self.path), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout

    def metrics_page(self) -> str:
        return self.curl("-H", f"Accept: {OPENMETRICS}", "http://localhost/metrics")

    def samples(self) -> Samples:
        """All samples of the metrics page."""
        families = text_string_to_metric_families(  # type: ignore[no-untyped-call]
            self.metrics_page()
        )
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }
