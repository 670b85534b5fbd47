"""Has the directory of a mirror swept at intervals, by a thread of its own."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import structlog

from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer
from spliceproxy.settings.mirror_kinds.retention import Retention
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.file_directory import FileDirectory, name_failure
from spliceproxy.sinks.file_lease import Lease
from spliceproxy.sinks.file_retention import Swept

INTERVAL_S = 30.0
SOON_S = 2.0
"""When there is more to remove, or no room: it may come when a connection ends."""
_EARLY = 0.9  # one's own timer may be a little early
_REST = 20
"""A sweep is followed by so many times its duration, so that it takes a twentieth of a disk."""


@dataclass(frozen=True, slots=True)
class _Report:
    swept: Swept | None
    """None: another process sweeps."""
    exceeded: str
    was_exceeded: str
    took_s: float


class FileSweeper:
    """Sweeps if no other process does, and tells the directory whether there is room."""

    def __init__(
        self,
        reactor: Reactor,
        directory: FileDirectory,
        limits: Retention,
        mirror: str,
        sweep: Callable[[int, Callable[[], bool]], Swept],
    ) -> None:
        """`sweep` is given the directory's descriptor, and asks whether it is to end early."""
        self._reactor = reactor
        self._directory = directory
        self._limits = limits
        self._disk = Disk(reactor, threads=1)
        self._log = structlog.get_logger(mirror=mirror)
        self._sweep_once = sweep
        self._stopped = threading.Event()
        self._is_new = True
        self._wait_s = 0.0
        self._failure = ""
        self._timer: Timer = reactor.timers.after(0.0, self)

    @property
    def is_busy(self) -> bool:
        """Whether a sweep is under way."""
        return self._disk.jobs > 0

    def on_deadline(self) -> None:
        """Begin a sweep."""
        self._disk.submit(self._sweep, self._swept)

    def _sweep(self) -> _Report:
        """In the thread."""
        started_s = time.monotonic()
        root = self._directory.root()
        lease = Lease(root, repr(self._limits))
        try:
            if not lease.take((self._wait_s or INTERVAL_S) * _EARLY, is_new=self._is_new):
                return _Report(None, lease.last.exceeded, lease.last.exceeded, 0.0)
            swept = self._sweep_once(root, self._stopped.is_set)
            lease.give_back(swept.exceeded)
        finally:
            lease.close()
        took_s = time.monotonic() - started_s
        return _Report(swept, swept.exceeded, lease.last.exceeded, took_s)

    def _swept(self, job: "Future[_Report]") -> None:
        error = job.exception()
        if error is not None and not isinstance(error, OSError):
            self._timer = self._reactor.timers.after(INTERVAL_S, self)
            raise error
        if error is not None:
            self._tell_failure(error)
            self._wait_s = INTERVAL_S
        else:
            self._note(job.result())
        self._is_new = False
        if not self._stopped.is_set():
            self._timer = self._reactor.timers.after(self._wait_s, self)

    def _note(self, report: _Report) -> None:
        self._failure = ""
        self._directory.exceeded = report.exceeded
        swept = report.swept
        soon = report.exceeded or (swept is not None and swept.has_more)
        self._wait_s = max(SOON_S if soon else INTERVAL_S, _REST * report.took_s)
        if swept is None:
            return
        if swept.files:
            self._log.info(
                "audit_files_removed",
                files=swept.files,
                bytes=swept.size_bytes,
                oldest=swept.oldest,
            )
        if swept.exceeded != report.was_exceeded:
            self._tell_room(swept.exceeded)

    def _tell_room(self, exceeded: str) -> None:
        if exceeded:
            self._log.error("audit_directory_full", limit=exceeded, reason=f"file_{exceeded}")
        else:
            self._log.info("audit_directory_has_room")

    def _tell_failure(self, error: OSError) -> None:
        """Tell of it once, as long as it is the same."""
        why = name_failure(error)
        if why != self._failure:
            self._failure = why
            self._log.error("audit_files_not_removed", reason=why, error=str(error))

    def on_crash(self, error: Exception) -> None:
        """Tell of what nobody foresaw; there is no further sweep."""
        self._log.error("internal_error", exc_info=error)

    def close(self) -> None:
        """End a sweep that is under way; one that a disk holds up is left behind."""
        self._stopped.set()
        self._timer.cancel()
        if self.is_busy:
            self._disk.close()
        else:
            self._disk.retire()
