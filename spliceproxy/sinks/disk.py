"""Work that may block on a disk, or in fork(2), done by threads; the reactor hears of its end.

Whoever submits a job submits the next one only when that has ended, so jobs are bounded by
their owners, and what belongs to a job is touched by its thread alone until then.
"""

import errno
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from spliceproxy.loop.reactor import Reactor

_EXIT_S = 5.0  # what a hung disk may hold up the exit of the worker
THREADS = 2  # of one mirror: a file that is slow to open does not stop the others' writes

Result = TypeVar("Result")
_Job = tuple[Callable[[], Any], Callable[[Any], None]]


class Disk:
    """Runs one mirror's jobs in threads, and their completions in the reactor.

    Each mirror has threads of its own, so that a directory that hangs concerns no other. They
    are started at once: later there may be none to be had.
    """

    def __init__(self, reactor: Reactor, threads: int = THREADS) -> None:
        """Start the threads.

        Raises:
            OSError: no thread is to be had (EAGAIN), or no descriptor.
        """
        self._reactor = reactor
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="disk")
        _start(self._threads, threads)
        try:
            self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        except OSError:
            self._threads.shutdown()
            raise
        self._ended: deque[tuple[Callable[[Any], None], Future[Any]]] = deque()
        self._submitted: list[_Job] = []
        self.jobs = 0
        self._patience_s = _EXIT_S
        reactor.register(self._wake_fd, select.EPOLLIN, self)

    def submit(self, job: Callable[[], Result], done: Callable[["Future[Result]"], None]) -> None:
        """Run ``job`` in a thread, then call ``done`` with its future in the reactor.

        What is submitted during one event batch goes to a thread together: the interpreter's
        lock changes hands twice for it, and not twice for each stream.
        """
        self.jobs += 1
        self._submitted.append((job, done))
        if len(self._submitted) == 1:
            self._reactor.at_batch_end(self._hand_over)

    def _hand_over(self) -> None:
        if self._submitted:
            batch, self._submitted = self._submitted, []
            try:
                self._threads.submit(self._run, batch)
            except RuntimeError as error:  # the threads are gone: the worker is at its end
                failure = error
                self._run([(lambda: _fail(failure), done) for _, done in batch])

    def _run(self, batch: list[_Job]) -> None:
        """In a thread."""
        for job, done in batch:
            future: Future[Any] = Future()
            try:
                future.set_result(job())
            except BaseException as error:  # it is the owner's to look at
                future.set_exception(error)
            self._ended.append((done, future))
        if self._wake_fd >= 0:  # closed meanwhile: nobody waits for it any more
            os.eventfd_write(self._wake_fd, 1)

    def on_events(self, events: int) -> None:
        """Call back for the jobs that have ended."""
        os.eventfd_read(self._wake_fd)
        self._call_back()

    def _call_back(self) -> None:
        while self._ended:
            done, future = self._ended.popleft()
            self.jobs -= 1
            try:
                done(future)
            except Exception as error:  # it concerns this job's owner alone
                self.on_crash(error)

    def on_crash(self, error: Exception) -> None:
        """Report what a completion failed with; its stream is given up by its deadline."""
        structlog.get_logger().error("internal_error", exc_info=error)

    def finish(self) -> None:
        """Wait for the jobs that are under way, and for those that follow from them.

        However often this is called, a disk that hangs is waited for only once.
        """
        while self.jobs and self._patience_s > 0:
            began_s = time.monotonic()
            self._hand_over()
            select.select([self._wake_fd], [], [], 0.05)
            self._patience_s -= time.monotonic() - began_s
            self._call_back()

    def retire(self) -> None:
        """End the threads, which have no job; not to be called by what a job's end calls."""
        self._threads.shutdown(wait=True)
        self._close_wake_fd()

    def close(self) -> None:
        """Call back for what has ended; a thread that a disk holds up is left behind."""
        self.finish()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._call_back()
        self._close_wake_fd()

    def _close_wake_fd(self) -> None:
        self._reactor.unregister(self._wake_fd)
        wake_fd, self._wake_fd = self._wake_fd, -1
        os.close(wake_fd)


def _start(executor: ThreadPoolExecutor, count: int) -> None:
    all_started = threading.Barrier(count + 1)
    try:
        for _ in range(count):
            executor.submit(all_started.wait)
    except RuntimeError:  # so Python tells of an errno of clone(2)
        all_started.abort()
        executor.shutdown(cancel_futures=True)
        raise OSError(errno.EAGAIN, "clone(2): no thread can be started") from None
    all_started.wait()


def _fail(error: Exception) -> None:
    raise error
