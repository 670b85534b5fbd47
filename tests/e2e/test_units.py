"""The units and kernel settings in config/: systemd's own opinion of them."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import spliceproxy

from .proxy_command import Launcher

pytestmark = pytest.mark.e2e

CONFIG = Path(spliceproxy.__file__).parent.parent / "config"
INSTALLED = "/opt/spliceproxy/bin/spliceproxy"
MOST_EXPOSED = 2.0  # of 10; an ordinary service without any of the settings has 9.6


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """Copies of the units that start the command where it is installed here."""
    copies = []
    for unit in sorted((CONFIG / "systemd").iterdir()):
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text().replace(INSTALLED, Launcher().argv[0]))
        copies.append(str(copy))
    return copies


def test_the_units_are_correct(program: Callable[[str], str], units: list[str]) -> None:
    argv = [program("systemd-analyze"), "verify", "--man=no", *units]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=45, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_service_runs_what_the_documentation_installs() -> None:
    unit = (CONFIG / "systemd" / "spliceproxy.service").read_text()
    page = (CONFIG.parent / "docs" / "operations.md").read_text()
    commands = re.findall(r"^Exec\w+=(\S+)", unit, re.M)
    assert set(commands) == {INSTALLED, "/bin/kill"}
    assert f"python3 -m venv {INSTALLED.removesuffix('/bin/spliceproxy')} " in page


def test_examples_write_where_the_service_may() -> None:
    unit = (CONFIG / "systemd" / "spliceproxy.service").read_text()
    for kind in ("Runtime", "Logs", "State"):
        assert f"\n{kind}Directory=spliceproxy\n" in unit
    for example in CONFIG.glob("*.yaml"):
        sockets = re.findall(r"unix:(/\S+)/", example.read_text())
        assert set(sockets) <= {"/run/spliceproxy"}, example.name


def test_the_service_is_hardened(program: Callable[[str], str], units: list[str]) -> None:
    [service] = [unit for unit in units if unit.endswith(".service")]
    argv = [program("systemd-analyze"), "security", "--offline=true", "--no-pager", service]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=45, check=True)
    score = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert score is not None
    assert float(score[1]) <= MOST_EXPOSED


def test_kernel_settings_exist() -> None:
    [path] = (CONFIG / "sysctl.d").iterdir()
    lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
    assert lines
    for line in lines:
        name, value = line.split(" = ")
        assert Path("/proc/sys", *name.split(".")).exists()
        assert value.isdecimal()
