"""A supervisor that keeps what it was started with, in place of the one that forks workers."""

import os
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from spliceproxy.settings.proxy import Settings

SUPERVISOR = "spliceproxy.master.supervisor"

Supervise = Callable[[Settings], int]


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SPLICEPROXY_"):
            monkeypatch.delenv(name)


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> Callable[[Supervise], None]:
    """Put a stand-in where the command finds its supervisor."""

    def replace(supervise: Supervise) -> None:
        module = ModuleType(SUPERVISOR)
        module.__dict__["supervise"] = lambda settings, reload: supervise(settings)
        monkeypatch.setitem(sys.modules, SUPERVISOR, module)

    return replace


@pytest.fixture
def seen(supervised: Callable[[Supervise], None]) -> list[Settings]:
    """What a supervisor that ends at once was started with."""
    calls: list[Settings] = []

    def supervise(settings: Settings) -> int:
        calls.append(settings)
        return 0

    supervised(supervise)
    return calls
