"""A command that is fed: started in a thread, heard, reaped."""

import contextlib
import errno
import math
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from spliceproxy.kernel import syscalls
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.complaints import Complaints, MirrorComplaints
from spliceproxy.sinks.disk import Disk

LOOK_AGAIN_S = 0.010

_EXIT_S = 2.0  # what commands get at the exit of the worker to finish by themselves


class CommandOwner(Protocol):
    """Who feeds the command."""

    def command_takes_more(self) -> None:
        """It has started, or has read what filled its input."""

    def command_ended(self, why: str) -> None:
        """It is over and reaped, or could not be started; empty: it ended well."""

    def on_crash(self, error: Exception) -> None:
        """A callback failed in a way that nobody foresaw."""


@dataclass(slots=True)
class Commands:
    """The commands of one mirror."""

    reactor: Reactor
    disk: Disk
    environment: Mapping[str, str]
    """What they have in common of it."""
    complaints: MirrorComplaints
    live: set["Command"] = field(default_factory=set)

    def close(self) -> None:
        """End those that run still: first by the end of their input, then by force."""
        for command in list(self.live):
            command.close_stdin()
        deadline_s = time.monotonic() + _EXIT_S
        for command in list(self.live):
            command.reap_until(deadline_s)
        self.complaints.sums.flush()


class Command:
    """One process. Its status, and what it complains about, are logged; its output is dropped."""

    def __init__(
        self,
        settings: MirrorSettings,
        shared: Commands,
        owner: CommandOwner,
        facts: Mapping[str, str],
    ) -> None:
        """`facts`: further variables of its environment."""
        self._command = settings.command
        self._environment = {**shared.environment, **facts}
        self._shared = shared
        self._reactor = shared.reactor
        self._owner = owner
        self._complaints: Complaints | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._end_fd: int | None = None
        self._watched = False
        self._killed = False
        self.stdin_fd: int | None = None
        """Where its input goes; None before it has started and after that is closed."""
        shared.live.add(self)
        shared.disk.submit(self._start, self._started)

    def _start(self) -> "subprocess.Popen[bytes]":
        """In a thread, since fork(2) takes a millisecond."""
        return subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            close_fds=True,
            env=self._environment,
            start_new_session=True,  # a terminal's Ctrl-C is ours to handle, not the command's
        )

    def _started(self, job: "Future[subprocess.Popen[bytes]]") -> None:
        error = job.exception()
        if error is not None:
            self._shared.live.discard(self)
            if not isinstance(error, (OSError, subprocess.SubprocessError)):
                self._owner.on_crash(RuntimeError(str(error)))
                self._owner.command_ended("command_failed")
                return
            self._owner.command_ended(_name(error))
            return
        self._process = job.result()
        try:
            self._attach(self._process)
        except OSError as problem:  # no descriptor left, or no room in the epoll set
            self._abandon(self._process)
            self._owner.command_ended(_name(problem))
            return
        if self._killed:
            self.kill()
        else:
            self._owner.command_takes_more()

    def _attach(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None and process.stderr is not None  # noqa: S101, PT018
        self.stdin_fd = process.stdin.fileno()
        os.set_blocking(self.stdin_fd, False)
        end_fd = os.pidfd_open(process.pid)
        try:
            self._reactor.register(end_fd, select.EPOLLIN, self)
        except OSError:
            os.close(end_fd)
            raise
        self._end_fd = end_fd
        self._complaints = Complaints(self._reactor, process.stderr, self._shared.complaints)

    def _abandon(self, process: "subprocess.Popen[bytes]") -> None:
        """Kill a process that cannot be watched; a thread waits for its end."""
        _kill_group(process)
        self.close_stdin()
        if self._end_fd is not None:
            self._reactor.unregister(self._end_fd)
            os.close(self._end_fd)
            self._end_fd = None
        if process.stderr is not None:
            process.stderr.close()
        self._shared.live.discard(self)
        self._shared.disk.submit(process.wait, lambda job: None)

    def watch(self, *, for_room: bool) -> None:
        """Call `command_takes_more` when there is room, or no longer."""
        if self.stdin_fd is None or for_room == self._watched:
            return
        self._watched = for_room
        if for_room:
            self._reactor.register(self.stdin_fd, select.EPOLLOUT, _Room(self._owner))
        else:
            self._reactor.unregister(self.stdin_fd)

    def unread_bytes(self) -> int:
        """How much waits in its input; it may be asked as long as that is open.

        No event tells when a pipe has been read empty: whoever waits for it looks again, after
        `LOOK_AGAIN_S`.
        """
        assert self.stdin_fd is not None  # noqa: S101
        return syscalls.unread_bytes(self.stdin_fd)

    def close_stdin(self) -> None:
        """End its input."""
        self.watch(for_room=False)
        self.stdin_fd = None
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def kill(self) -> None:
        """End it; `command_ended` follows when it is reaped."""
        self._killed = True
        if self._process is not None and self._end_fd is not None:  # not reaped: the pid is its
            _kill_group(self._process)
            self.close_stdin()

    def on_events(self, events: int) -> None:
        """Reap it."""
        self.reap_until(math.inf)

    def reap_until(self, deadline_s: float) -> None:
        """Wait for its end, and kill it at the deadline."""
        if self._process is None or self._end_fd is None:
            return
        try:
            wait_s = max(0.0, deadline_s - time.monotonic())
            status = self._process.wait(None if math.isinf(wait_s) else wait_s)
        except subprocess.TimeoutExpired:
            self._killed = True
            _kill_group(self._process)
            status = self._process.wait()
        self._reactor.unregister(self._end_fd)
        os.close(self._end_fd)
        self._end_fd = None
        if self._complaints is not None:
            self._complaints.finish()
        self._shared.live.discard(self)
        self.close_stdin()
        self._shared.complaints.ended(status, killed=self._killed)
        self._owner.command_ended(f"command_status_{status}" if status else "")

    def on_crash(self, error: Exception) -> None:
        """Pass it on."""
        self._owner.on_crash(error)


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a command that is not reaped yet, and what it has started: it leads a session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _name(error: OSError | subprocess.SubprocessError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return f"command_{errno.errorcode.get(number or 0, 'failed').lower()}"


class _Room:
    """Watches the input of a command for room."""

    def __init__(self, owner: CommandOwner) -> None:
        self._owner = owner

    def on_events(self, events: int) -> None:
        self._owner.command_takes_more()

    def on_crash(self, error: Exception) -> None:
        self._owner.on_crash(error)
