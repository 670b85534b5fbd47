"""The command as PID 1, as in a container: it is given orphans, and leaves no zombie."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .log_lines import LogLines
from .peers import Backend
from .processes import children, wait_until
from .proxy_command import STOP_TIMEOUT_S, Launcher

pytestmark = pytest.mark.e2e

LEAVES_AN_ORPHAN = """\
setsid /bin/sh -c '
    while ! grep -q "^PPid:.1$" /proc/$$/status; do sleep 0.01; done
    echo adopted >>"$0"' "$1" &
exec cat >/dev/null
"""
UNSHARE = ("--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.fixture
def unshare(program: Callable[[str], str]) -> list[str]:
    """The words that make a command PID 1 of its own namespace, where that is allowed."""
    argv = [program("unshare"), *UNSHARE]
    if subprocess.run([*argv, "true"], capture_output=True, check=False, timeout=20).returncode:
        pytest.skip("no namespaces can be made here")
    return argv


class PidOne:
    """A proxy that is PID 1; here it has another number."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        self.log = LogLines(process.stdout)
        self.port = int(self.log.wait("started")[0]["listeners"][0].rpartition(":")[2])
        (self.pid,) = children(process.pid)

    def zombies(self) -> list[int]:
        return [pid for pid in children(self.pid) if state(pid) == "Z"]


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextmanager
def pid_one(unshare: list[str], *arguments: str) -> Iterator[PidOne]:
    launcher = Launcher((*unshare, *Launcher().argv))
    process = launcher.popen(*arguments, "--log-format", "json", stderr=subprocess.STDOUT)
    try:
        yield PidOne(process)
    finally:
        process.kill()  # and with it all in the namespace: --kill-child
        process.wait(STOP_TIMEOUT_S)
        assert process.stdout is not None
        process.stdout.close()


def test_orphans_are_collected_and_workers_are_not(unshare: list[str], tmp_path: Path) -> None:
    script, adopted = tmp_path / "command", tmp_path / "adopted"
    script.write_text(LEAVES_AN_ORPHAN)
    with Backend() as backend:
        arguments = ["--backend", backend.address, "--listen", "127.0.0.1:0", "--workers", "2"]
        arguments += ["--mirror", f"exec:/bin/sh {script} {adopted}"]
        with pid_one(unshare, *arguments) as proxy:
            for _ in range(3):
                with socket.create_connection(("127.0.0.1", proxy.port)), backend.accept():
                    pass
            wait_until(lambda: adopted.is_file() and len(adopted.read_text().split()) == 3, 10, "3")
            wait_until(lambda: not proxy.zombies(), 10, "no zombies")
            killed = children(proxy.pid)[0]
            os.kill(killed, signal.SIGKILL)
            # Who waits for a worker still learns how it ended, and replaces it.
            assert proxy.log.wait("worker_exited")[0]["signal"] == "SIGKILL"
            proxy.log.wait("worker_restarted")
            wait_until(lambda: not proxy.zombies(), 10, "no zombies")
            assert len(children(proxy.pid)) == 2
            os.kill(proxy.pid, signal.SIGTERM)
            proxy.log.wait("stopped")
