"""What every test of the proxy runs under."""

from collections.abc import Iterator

import pytest
import structlog

from spliceproxy.loop import reactor
from tests.descriptors import no_descriptor_is_left_open

__all__ = ["no_descriptor_is_left_open"]


@pytest.fixture(autouse=True)
def log_has_its_defaults() -> Iterator[None]:
    """Whatever another test has configured, all levels are captured."""
    before = structlog.get_config() if structlog.is_configured() else None
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    if before is not None:
        structlog.configure(**before)


@pytest.fixture(autouse=True)
def worker_leaves_its_thread_to_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker waits a millisecond in its thread, in case another event comes; the test is it."""
    monkeypatch.setattr(reactor, "_LINGER_S", 0)
