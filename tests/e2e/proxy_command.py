"""Starts the installed command and holds it to its promises when it stops."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from spliceproxy.kernel.pipes import IDLE_PIPES

from .log_lines import Event, LogLines
from .processes import children, descriptors, is_alive, wait_until

START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 20
# Of the pipes that connections borrowed, a worker keeps these for the next ones.
KEPT_PIPE_DESCRIPTORS = 2 * IDLE_PIPES


def clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("SPLICEPROXY_")}


@dataclass(frozen=True)
class Launcher:
    """How the command is started: by which words, as whom, with what around it."""

    argv: tuple[str, ...] = (str(Path(sys.executable).with_name("spliceproxy")),)
    environment: dict[str, str] = field(default_factory=clean_environment)
    user: str | int | None = None
    directory: str = "/"

    def popen(self, *arguments: str, stderr: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self.argv, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=self.environment,
            cwd=self.directory,
            user=self.user,
            group=None if self.user is None else "nogroup",
            extra_groups=None if self.user is None else [],
        )


class ProxyCommand:
    """A running `spliceproxy`; see `finish` for what is checked at its end."""

    def __init__(self, *arguments: str, launcher: Launcher | None = None) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        command = [*arguments, "--log-format", "json"]
        if not {"--listen", "--config"} & set(arguments):
            command += ["--listen", "127.0.0.1:0"]
        self.process = (launcher or Launcher()).popen(*command, stderr=self._stderr.fileno())
        assert self.process.stdout is not None
        self.log = LogLines(self.process.stdout)
        # Events of level error that the test itself brings about.
        self.expected_errors: set[str] = set()
        try:
            self.started: Event = self._wait_started()
        except BaseException:
            self.kill()
            raise
        self._baseline = {pid: descriptors(pid) for pid in self.workers()}
        self._pids = {self.pid, *self._baseline}

    def _wait_started(self) -> Event:
        def is_decided() -> bool:
            return bool(self.log.all("started")) or self.process.poll() is not None

        wait_until(is_decided, START_TIMEOUT_S, "the start line, or an exit")
        assert self.process.poll() is None, f"exit {self.process.returncode}: {self.stderr()}"
        return self.log.wait("started")[0]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def listener(self) -> str:
        """The first listener's actual address, as a command line would name it."""
        return str(self.started["listeners"][0])

    @property
    def port(self) -> int:
        return int(self.listener.rpartition(":")[2])

    def workers(self) -> list[int]:
        others = [*self.log.all("admin_started"), *self.log.all("compressor_started")]
        pids = {event["pid"] for event in others}
        return [child for child in children(self.pid) if child not in pids]

    def stderr(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")

    def connect(self, timeout_s: float = 20) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def sockets_above_baseline(self) -> dict[int, int]:
        """How many more sockets each worker holds than before any traffic."""
        return {
            pid: descriptors(pid)["socket"] - self._baseline_of(pid)["socket"]
            for pid in self.workers()
        }

    def _baseline_of(self, pid: int) -> Counter[str]:
        # A worker that took another's place started out with the same descriptors.
        return self._baseline.get(pid) or next(iter(self._baseline.values()))

    def settle(self) -> None:
        """Take what workers hold now for what they should hold at the end."""
        self._baseline = {pid: descriptors(pid) for pid in self.workers()}
        self._pids |= set(self._baseline)

    def _wait_for_baseline(self) -> None:
        try:
            wait_until(lambda: not self._leaks(), 10, "as many descriptors as before")
        except AssertionError as error:
            error.add_note(f"more than before, in each worker: {self._leaks()}")
            raise

    def _leaks(self) -> dict[int, dict[str, int]]:
        leaks = {}  # fewer than before are none: a health check may have been under way then
        for pid in self.workers():
            more = descriptors(pid)
            more.subtract(self._baseline_of(pid))
            if more["pipe"] <= KEPT_PIPE_DESCRIPTORS:
                del more["pipe"]
            # Fewer: a check or a lookup was under way when the baseline was taken.
            if left := {kind: count for kind, count in more.items() if count > 0}:
                leaks[pid] = left
        return leaks

    def wait_exit(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Return the exit status, after checking that nothing of the process tree is left."""
        self._pids.update(event["pid"] for event in self.log.all("worker_restarted"))
        if self.process.poll() is None:
            self._pids.update(self.workers())
        status = self.process.wait(timeout_s)
        assert self.is_gone(), f"one of {self._pids} is left behind"
        return status

    def is_gone(self) -> bool:
        return not any(is_alive(pid) for pid in self._pids)

    def finish(self) -> None:
        """Check that traffic left no descriptor behind, that SIGTERM ends it, and the log."""
        try:
            if self.process.poll() is None:
                self._wait_for_baseline()
                self.process.send_signal(signal.SIGTERM)
                assert self.wait_exit() == 0
            self.log.join(STOP_TIMEOUT_S)
            assert self.stderr() == ""
            assert self.log.unreadable == []
            assert self._complaints() == []
        finally:
            self.kill()

    def _complaints(self) -> list[Event]:
        return [
            event
            for event in self.log.all()
            if (event["level"] in ("error", "critical") or event.get("reason") == "internal_error")
            and event["event"] not in self.expected_errors
        ]

    def kill(self) -> None:
        """End whatever is left, whatever has happened."""
        workers = self.workers() if self.process.poll() is None else []
        for pid in (self.pid, *workers):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(STOP_TIMEOUT_S)
        self.log.join(STOP_TIMEOUT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._stderr.close()
