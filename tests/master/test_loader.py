"""A child that loads a configuration: its result, and every way in which there is none."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from spliceproxy.errors import RefusedFile, StartProblem
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.master import loader
from spliceproxy.master.loader import (
    LoadedConfiguration,
    LoaderProcess,
    ReloadRefused,
    load_configuration,
)
from spliceproxy.observe.logs import Logs
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.log import AccessLogSettings, LogSettings
from spliceproxy.settings.log_destination import LogDestination
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.single_route import single_route
from tests.e2e.processes import children


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    destination = LogDestination("file", path=str(tmp_path / "log"))
    with closing(Logs(LogSettings(to=destination), AccessLogSettings())) as logs:
        yield logs


@contextmanager
def nothing_left() -> Iterator[None]:
    before = children(os.getpid())
    yield
    assert children(os.getpid()) == before


def wait_for(process: LoaderProcess) -> LoadedConfiguration:
    """Wait as the master does."""
    while True:
        poll = select.poll()
        for fd in process.descriptors():
            poll.register(fd, select.POLLIN)
        poll.poll(max(0.0, process.deadline_s - time.monotonic()) * 1000)
        loaded = process.tend()
        if loaded is not None:
            return loaded


def settings() -> Settings:
    # More than a socket pair holds.
    listen = tuple(
        TcpAddress(f"127.0.{number // 250}.{number % 250}", 80) for number in range(5000)
    )
    return single_route(listen, (TcpAddress("127.0.0.1", 9),))


def run(load_it: Callable[[], LoadedConfiguration], logs: Logs) -> LoadedConfiguration:
    with nothing_left():
        return wait_for(LoaderProcess(load_it, logs, lambda: None))


def refusal(load_it: Callable[[], LoadedConfiguration], logs: Logs) -> ReloadRefused:
    with pytest.raises(ReloadRefused) as caught:
        run(load_it, logs)
    return caught.value


def test_a_large_result(logs: Logs) -> None:
    def load_it() -> LoadedConfiguration:
        return load_configuration(settings, InheritedSockets())

    assert run(load_it, logs) == load_it()


def test_a_refused_file_with_its_mistakes(logs: Logs) -> None:
    def load_it() -> LoadedConfiguration:
        raise RefusedFile("a has 2 mistakes", "nothing was changed", ("a:1:1: b", "a:2:1: c"))

    refused = refusal(load_it, logs)
    assert refused.reason == "a has 2 mistakes; nothing was changed"
    assert refused.mistakes == ("a:1:1: b", "a:2:1: c")


def test_a_problem(logs: Logs) -> None:
    def load_it() -> LoadedConfiguration:
        raise StartProblem("x does not resolve", "check the name")

    assert refusal(load_it, logs).reason == "x does not resolve; check the name"


def test_an_unexpected_exception(logs: Logs, capfd: pytest.CaptureFixture[str]) -> None:
    def load_it() -> LoadedConfiguration:
        raise ZeroDivisionError

    assert "died (status 70)" in refusal(load_it, logs).reason
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_death(logs: Logs) -> None:
    def load_it() -> LoadedConfiguration:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    assert "died (SIGKILL)" in refusal(load_it, logs).reason


def test_a_time_out(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "LOAD_TIMEOUT_S", 0.1)

    def load_it() -> LoadedConfiguration:
        time.sleep(60)
        raise AssertionError

    assert "not looked up within 0.1 s" in refusal(load_it, logs).reason


def test_a_result_that_is_too_large(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "_MAX_RESULT_BYTES", 1000)
    refused = refusal(lambda: load_configuration(settings, InheritedSockets()), logs)
    assert refused.reason == "the configuration is too large"


def test_one_that_is_given_up(logs: Logs) -> None:
    def load_it() -> LoadedConfiguration:
        time.sleep(60)
        raise AssertionError

    with nothing_left():
        LoaderProcess(load_it, logs, lambda: None).stop()
