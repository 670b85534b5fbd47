"""A system that refuses: the proxy goes on without, or says in one line what it lacks."""

import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernel_filter import MACHINE, NUMBERS, refusing

from .conftest import StartProxy
from .namespaces import launcher_in_removed_directory, launcher_without_proc
from .peers import Backend
from .processes import wait_until
from .proxy_command import Launcher, ProxyCommand
from .test_start_errors import BACKEND, LISTEN, refusal
from .unprivileged import unprivileged_launcher

pytestmark = pytest.mark.e2e

needs_numbers = pytest.mark.skipif(MACHINE not in NUMBERS, reason=f"no numbers on {MACHINE}")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="limits of other users are root's to set")


def without(call: str, error: int) -> Launcher:
    return Launcher((*refusing(call, error), *Launcher().argv))


def exchange(proxy: ProxyCommand, backend: Backend) -> None:
    with proxy.connect() as client, backend.accept() as accepted:
        client.sendall(b"question")
        assert accepted.recv(8) == b"question"
        accepted.sendall(b"answer")
        assert client.recv(6) == b"answer"


@needs_numbers
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS])
@pytest.mark.parametrize(
    "call", ["pidfd_open", "pidfd_send_signal", "memfd_create", "pipe2", "eventfd2"]
)
def test_calls_that_one_can_do_without(call: str, error: int, start_proxy: StartProxy) -> None:
    """Traffic passes, and a worker that is killed is replaced."""
    with Backend() as backend:
        proxy = start_proxy(
            "--backend", backend.address, "--workers", "1", launcher=without(call, error)
        )
        exchange(proxy, backend)
        proxy.expected_errors.add("worker_exited")
        os.kill(proxy.workers()[0], signal.SIGKILL)
        proxy.log.wait("worker_restarted")
        proxy.settle()
        exchange(proxy, backend)


@needs_numbers
def test_a_reload_and_the_admin_process_without_pidfds_and_memory_files(
    tmp_path: Path, start_proxy: StartProxy
) -> None:
    config = tmp_path / "routes.yaml"
    with Backend() as backend:
        config.write_text(
            "admin: {listen: ['127.0.0.1:0'], insecure: true}\n"
            f"routes: [{{name: web, listen: ['127.0.0.1:0'], backends: ['{backend.address}']}}]\n"
        )
        before = (*refusing("pidfd_open", errno.EPERM), *refusing("memfd_create", errno.EPERM))
        launcher = Launcher((*before, *Launcher().argv))
        proxy = start_proxy("--config", str(config), launcher=launcher)
        admin = proxy.log.wait("admin_started")[0]["pid"]
        proxy.process.send_signal(signal.SIGHUP)
        proxy.log.wait("reloaded")
        proxy.expected_errors.add("admin_exited")
        os.kill(admin, signal.SIGKILL)
        proxy.log.wait("admin_started", 2)
        wait_until(lambda: len(proxy.workers()) == proxy.started["workers"], 20, "old ones end")
        proxy.settle()
        exchange(proxy, backend)


@needs_numbers
@pytest.mark.parametrize(
    ("call", "mirror"),
    [("eventfd2", "file:mirror"), ("pipe2", "null:"), ("pidfd_open", "exec:cat")],
)
def test_calls_that_mirrors_need(call: str, mirror: str, tmp_path: Path) -> None:
    launcher = replace(without(call, errno.EPERM), directory=str(tmp_path))
    status, line = refusal((*LISTEN, *BACKEND, "--mirror", mirror), launcher)
    assert status == 3
    assert f"the system refuses {call}(2)" in line
    assert mirror in line
    assert "seccomp" in line


def test_without_proc(tmp_path: Path, start_proxy: StartProxy) -> None:
    """Nothing is swept that might be written still, and unix sockets are refused by name."""
    left = tmp_path / "audit"
    with Backend() as backend:
        proxy = start_proxy(
            *("--backend", backend.address, "--workers", "1"),
            *("--mirror", f"file:{left}?max_age=1d"),
            launcher=launcher_without_proc(),
        )
        assert proxy.log.wait("proc_missing")[0]["remedy"].startswith("mount /proc")
        exchange(proxy, backend)
    listen = ("--listen", f"unix:{tmp_path}/socket")
    status, line = refusal((*listen, *BACKEND), launcher_without_proc())
    assert status == 3
    assert "/proc" in line
    assert not (tmp_path / "socket").exists()


def test_in_a_directory_that_is_gone(tmp_path: Path, start_proxy: StartProxy) -> None:
    config = tmp_path / "routes.yaml"
    with Backend() as backend:
        config.write_text(
            f"routes: [{{name: web, listen: ['127.0.0.1:0'], backends: ['{backend.address}'], "
            f"mirrors: ['file:{tmp_path}/audit', 'tcp://127.0.0.1:9?overflow=spill']}}]\n"
        )
        launcher = launcher_in_removed_directory(tmp_path / "gone")
        proxy = start_proxy("--config", str(config), launcher=launcher)
        exchange(proxy, backend)
        proxy.process.send_signal(signal.SIGHUP)
        proxy.log.wait("reloaded")
        proxy.settle()
    mirror = ("--mirror", "file:relative")
    status, line = refusal(
        (*LISTEN, *BACKEND, *mirror), launcher_in_removed_directory(tmp_path / "gone")
    )
    assert status == 2
    assert "'file:relative'" in line


class Crowded:
    """A proxy as a user of its own, whose number of processes and threads is limited."""

    def __init__(self, launcher: Launcher) -> None:
        uid = 1_900_000_000 + os.getpid()
        self.config = Path(launcher.environment["PYTHONPATH"], "routes.yaml")
        self.launcher = replace(launcher, user=uid)
        self.proxy: ProxyCommand

    def limit(self, count: int) -> None:
        """Allow so many, master and workers included."""
        for pid in (self.proxy.pid, *self.proxy.workers()):  # root may lack CAP_SYS_RESOURCE
            command = ["prlimit", f"--pid={pid}", f"--nproc={count}:"]
            subprocess.run(
                command, check=True, user=self.launcher.user, group="nogroup", extra_groups=[]
            )

    def limited(self, count: int) -> Launcher:
        """Start with so many."""
        return replace(self.launcher, argv=("prlimit", f"--nproc={count}", *self.launcher.argv))


@pytest.fixture
def crowded() -> Iterator[Crowded]:
    with unprivileged_launcher() as launcher:
        yield Crowded(launcher)


@as_root
def test_no_process_at_the_start(crowded: Crowded) -> None:
    status, line = refusal((*LISTEN, *BACKEND), crowded.limited(1))
    assert status == 3
    assert "the system refuses a process for worker 0 (fork(2): " in line
    assert "pids.max" in line


@as_root
def test_no_thread_at_the_start(crowded: Crowded) -> None:
    """The worker's own line says so, then the master's."""
    process = crowded.limited(2).popen(
        *LISTEN, *BACKEND, "--workers", "1", "--mirror", "null:", stderr=subprocess.PIPE
    )
    output, error = process.communicate(timeout=30)
    assert process.returncode == 3
    assert b"Traceback" not in error
    assert b"worker_not_booted" in output
    assert b"clone(2)" in output
    assert error.count(b"\n") == 1


@as_root
def test_no_process_later(crowded: Crowded, start_proxy: StartProxy) -> None:
    """A reload is refused; workers and the admin process are tried again, and come."""
    config = crowded.config
    with Backend() as backend:
        config.write_text(
            "workers: 2\nadmin: {listen: ['127.0.0.1:0'], insecure: true}\n"
            f"routes: [{{name: web, listen: ['127.0.0.1:0'], backends: ['{backend.address}']}}]\n"
        )
        proxy = crowded.proxy = start_proxy("--config", str(config), launcher=crowded.launcher)
        admin = proxy.log.wait("admin_started")[0]["pid"]
        running = 4
        for spare, lacking in ((0, "a process that loads the file"), (1, "a process for worker 1")):
            crowded.limit(running + spare)
            refused = len(proxy.log.all("reload_refused"))
            proxy.expected_errors.add("reload_refused")
            proxy.process.send_signal(signal.SIGHUP)
            reason = proxy.log.wait("reload_refused", refused + 1)[-1]["reason"]
            assert f"the system refuses {lacking} (fork(2): " in reason
            assert "pids.max" in reason
            wait_until(lambda: len(proxy.workers()) == 2, 20, "the new worker ends")
            exchange(proxy, backend)
        crowded.limit(1)
        killed, kept = proxy.workers()
        proxy.expected_errors |= {"worker_exited", "worker_not_restarted"}
        proxy.expected_errors |= {"admin_exited", "admin_not_started"}
        os.kill(killed, signal.SIGKILL)
        os.kill(admin, signal.SIGKILL)
        assert "fork(2)" in proxy.log.wait("worker_not_restarted", 2)[1]["error"]
        assert "fork(2)" in proxy.log.wait("admin_not_started", 2)[1]["error"]
        assert proxy.workers() == [kept]
        exchange(proxy, backend)
        crowded.limit(100)
        proxy.log.wait("worker_restarted")
        proxy.log.wait("admin_started", 2)
        proxy.settle()
