"""What every part of the suite may ask for."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says nothing here: machines are shared.
settings.register_profile("spliceproxy", deadline=None)
settings.load_profile("spliceproxy")

# Assertions outside test files tell their values, too.
pytest.register_assert_rewrite("tests.e2e")

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
