"""A secret that a routes file takes from the environment: used, and seen nowhere else."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .administered import Administered
from .conftest import StartProxy
from .load import echo_server, exchange
from .processes import wait_until
from .proxy_command import Launcher, clean_environment
from .reloading import RoutesFile, reload

pytestmark = pytest.mark.e2e

SECRET = "s3cr3t-value"


@pytest.fixture
def backend() -> Iterator[str]:
    with echo_server() as echo:
        yield echo


def test_nobody_is_shown_a_secret(start_proxy: StartProxy, backend: str, tmp_path: Path) -> None:
    launcher = Launcher(environment=clean_environment() | {"S": SECRET})
    admin = Administered(tmp_path / "admin")
    file = RoutesFile(tmp_path / "routes.yaml", {"workers": 1, "admin": f"unix:{admin.path}"})
    got = tmp_path / "got"
    by_argument = {"to": f"exec:sh -c 'echo ${{S}} >> {got}; exec cat >/dev/null'"}
    by_variable = {
        "to": f'exec:echo "$T" >> {got}; cat >/dev/null; true',
        "shell": True,
        "env": {"T": "${S}"},
    }
    route = {
        "name": "main",
        "listen": "127.0.0.1:0",
        "backends": [backend],
        "mirrors": [by_argument, by_variable],
    }
    check = {"send": "${S}", "expect": "${S}"}
    file.write(route | {"health_check": check})
    proxy = start_proxy("--config", str(file.path), launcher=launcher)
    admin.wait()
    names = {one["name"] for one in admin.route()["mirrors"]}
    assert names == {by_argument["to"], by_variable["to"]}
    with proxy.connect() as client:
        exchange(client)
        wait_until(lambda: got.exists() and got.read_text() == f"{SECRET}\n" * 2, 20, "the secret")
        lines = [
            Path(f"/proc/{child}/cmdline").read_text()
            for worker in proxy.workers()
            for thread in Path(f"/proc/{worker}/task").iterdir()
            for child in (thread / "children").read_text().split()
        ]
        connections = admin.ctl("connections")
    assert len(lines) == 2
    [given_a_variable] = [line for line in lines if "$T" in line]
    assert SECRET not in given_a_variable
    file.write(route)  # without the check
    reload(proxy)
    admin.ctl("mirror", "set", "main", by_argument["to"], "--state", "off")
    shown = subprocess.run(
        [*launcher.argv, "check", "--show", str(file.path)],
        env=launcher.environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout
    wait_until(lambda: bool(proxy.log.all("connection")), 20, "the connection's line")
    told = json.dumps([admin.status(), connections, proxy.log.all(), shown])
    told += admin.metrics_page() + proxy.stderr()
    assert "${S}" in admin.metrics_page()
    assert SECRET not in told
