"""What every part of the suite may ask for."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.tls.authority import Authority

# How long an example takes says nothing here: machines are shared.
settings.register_profile("spliceproxy", deadline=None)
settings.load_profile("spliceproxy")

# Assertions outside test files tell their values, too.
pytest.register_assert_rewrite("tests.e2e")

# Most tests wait for something most of the time: for a peer, a timer, a program that starts.
PROCESSES_PER_CPU = 2

REQUIRE_PEERS = os.environ.get("SPLICEPROXY_REQUIRE_PEERS") == "1"


def _search_path() -> str:
    # Debian keeps servers outside a user's PATH, and PostgreSQL's programs beside its version.
    postgresql = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    directories = [*map(str, postgresql), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]
    return os.pathsep.join(directories)


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Find a program's path; one that is missing skips the test, or fails it where required."""

    def find(name: str) -> str:
        path = shutil.which(name, path=_search_path())
        if path is not None:
            return path
        reason = f"the program {name} is not installed"
        if REQUIRE_PEERS:
            pytest.fail(reason)
        pytest.skip(reason)

    return find


@pytest.fixture
def authority(tmp_path: Path) -> "Authority":
    """One that issues certificates into the test's directory."""
    from tests.tls.authority import Authority  # late: most tests need no TLS

    return Authority(tmp_path)


def pytest_configure() -> None:
    """Have SIGINT reach the programs that tests start.

    A shell has its jobs in the background ignore it, and they hand that on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--machine",
        choices=("alone", "shared"),
        help="run only the tests marked `alone`, or only the others, which may run side by side",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--machine` does; `-m` is free for the caller."""
    machine = config.getoption("--machine")
    if machine is None:
        return
    chosen: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        is_alone = item.get_closest_marker("alone") is not None
        (chosen if is_alone == (machine == "alone") else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = chosen


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    return PROCESSES_PER_CPU * len(os.sched_getaffinity(0))
