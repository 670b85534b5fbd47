"""The master's keeping of the process that compresses captures, as long as a mirror wants it."""

import json
import signal
import socket
import time
from collections.abc import Callable, Sequence

import structlog

from spliceproxy.formats.zstd import open_zstd
from spliceproxy.ipc.packets import MAX_PACKET_BYTES
from spliceproxy.master.child import Child, fork_child
from spliceproxy.master.compressor import run_compressor
from spliceproxy.policy.backoff import Backoff
from spliceproxy.sinks.sink import CompressedDirectory

_RESTART = Backoff(first_s=0.5, longest_s=30.0)
_STABLE_S = 60.0
_DEATH_S = 0.5
_LEVELS = {"segments_compressed": "info", "segment_not_compressed": "error"}


class CompressorKeeper:
    """Forks the process, writes its words into the log, replaces it when it dies.

    One that hangs holds up nobody: segments stay as they are.
    """

    def __init__(self, prepare: Callable[[], None]) -> None:
        """In the child `prepare` closes what is not its business, and gives up rights."""
        self._prepare = prepare
        self._directories: Sequence[CompressedDirectory] = ()
        self._child: Child | None = None
        self._failures = 0
        self._restart_s: float | None = None
        self._log = structlog.get_logger()

    def follow(self, directories: Sequence[CompressedDirectory]) -> None:
        """Compress in these directories from now on, and nowhere else."""
        if directories == self._directories:
            return
        self.stop()
        self._directories = directories
        self._failures = 0
        if directories:
            self._start()

    def descriptors(self) -> list[int]:
        """What to poll for."""
        return [] if self._child is None else [self._child.end.fd, self._child.orders.fileno()]

    @property
    def next_deadline_s(self) -> float | None:
        """When `tend` has something to do, whatever the descriptors say."""
        return self._restart_s

    def tend(self) -> None:
        """Write down what it says; bury and replace it."""
        if self._restart_s is not None and self._restart_s <= time.monotonic():
            self._restart_s = None
            self._start()
        child = self._child
        if child is not None:
            self._hear(child)
            if child.has_ended():
                self._bury(child)

    def forget(self) -> None:
        """In another child: close what stands for it."""
        if self._child is not None:
            self._child.forget()

    def stop(self) -> None:
        """End it. A disk that hangs can hold up even SIGKILL: then it is left to init."""
        self._restart_s = None
        child, self._child = self._child, None
        if child is None:
            return
        child.send(signal.SIGKILL)
        if child.has_ended(_DEATH_S):
            child.reap()
        else:
            child.forget()

    def _start(self) -> None:
        try:
            child = self._child = fork_child(0, self._be_compressor)
        except OSError as error:  # out of processes or descriptors: segments stay as they are
            self._log.error("compressor_not_started", error=str(error))
            self._restart_later()
            return
        child.orders.setblocking(False)
        paths = [one.path for one in self._directories]
        self._log.info("compressor_started", pid=child.pid, directories=paths)

    def _be_compressor(self, master: socket.socket) -> int:
        zstd = open_zstd("compress=zstd")
        self._prepare()
        return run_compressor(self._directories, zstd, master)

    def _hear(self, child: Child) -> None:
        while True:
            try:
                packet = child.orders.recv(MAX_PACKET_BYTES)
            except OSError:
                return
            if not packet:
                return
            said = json.loads(packet)
            event = said.pop("event")
            getattr(self._log, _LEVELS[event])(event, **said)

    def _bury(self, child: Child) -> None:
        self._child = None
        status = child.reap()
        self._log.error("compressor_exited", pid=child.pid, status=status)
        if time.monotonic() - child.started_s >= _STABLE_S:
            self._failures = 0
        self._restart_later()

    def _restart_later(self) -> None:
        self._failures += 1
        self._restart_s = time.monotonic() + _RESTART.delay_s(self._failures)
