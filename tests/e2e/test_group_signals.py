"""Signals that a terminal or a service manager sends to all processes at once."""

import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from .administered import Administered
from .conftest import StartProxy
from .peers import Backend, receive_exactly
from .proxy_command import Launcher, ProxyCommand

pytestmark = pytest.mark.e2e

# The group has nobody else in it.
LAUNCHER = Launcher(("setsid", str(Path(sys.executable).with_name("spliceproxy"))))


def assert_nothing_was_amiss(proxy: ProxyCommand) -> None:
    assert proxy.wait_exit() == 0
    for event in ("worker_exited", "worker_restarted", "admin_exited", "reload_refused"):
        assert proxy.log.all(event) == []
    assert len(proxy.log.all("admin_started")) <= 1
    assert len(proxy.log.wait("stopped")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda it: it.name)
def test_all_drain_and_can_be_watched_meanwhile(
    number: signal.Signals, start_proxy: StartProxy, tmp_path: Path
) -> None:
    admin = Administered(tmp_path / "admin")
    with Backend() as backend, ExitStack() as stack:
        proxy = start_proxy(
            *("--backend", backend.address, "--workers", "2", "--admin", f"unix:{admin.path}"),
            launcher=LAUNCHER,
        )
        admin.wait()
        client, server = stack.enter_context(proxy.connect()), stack.enter_context(backend.accept())
        client.sendall(b"x")
        assert receive_exactly(server, 1) == b"x"
        os.killpg(proxy.pid, number)
        proxy.log.wait("draining")
        time.sleep(0.7)  # an admin process that had ended would have been started again
        status = admin.status()
        assert status["draining"]
        assert status["worker_restarts"] == {"killed": 0, "crashed": 0, "hung": 0}
        assert status["admin_restarts"] == 0
        client.sendall(b"y")
        assert receive_exactly(server, 1) == b"y"
    assert_nothing_was_amiss(proxy)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=lambda it: it.name)
def test_idle_workers_that_end_at_once(
    number: signal.Signals, start_proxy: StartProxy, tmp_path: Path
) -> None:
    admin = Administered(tmp_path / "admin")
    with Backend() as backend:
        proxy = start_proxy(
            *("--backend", backend.address, "--workers", "4", "--admin", f"unix:{admin.path}"),
            launcher=LAUNCHER,
        )
        admin.wait()
        os.killpg(proxy.pid, number)
        assert_nothing_was_amiss(proxy)


def test_whoever_signals_one_after_the_other_may_come_to_the_master_last(
    start_proxy: StartProxy,
) -> None:
    with Backend() as backend:
        proxy = start_proxy("--backend", backend.address, "--workers", "2")
        for pid in proxy.workers():
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.05)
        os.kill(proxy.pid, signal.SIGTERM)
        assert_nothing_was_amiss(proxy)


def test_a_signal_to_one_worker_alone_is_told_and_made_good(start_proxy: StartProxy) -> None:
    with Backend() as backend:
        proxy = start_proxy("--backend", backend.address, "--workers", "1")
        proxy.expected_errors.add("worker_exited")
        os.kill(proxy.workers()[0], signal.SIGTERM)
        assert proxy.log.wait("worker_exited")[0]["status"] == 0
        proxy.log.wait("worker_restarted")
