"""Several workers on the same listening sockets: forked, sent signals on to, waited for."""

import ctypes
import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import NoReturn

from spliceproxy.errors import ExitStatus

_STOPPING = {signal.SIGTERM, signal.SIGINT}
_WATCHED = _STOPPING | {signal.SIGCHLD, signal.SIGUSR1}
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_libc = ctypes.CDLL(None, use_errno=True)


def run_workers(count: int, body: Callable[[int], int], tell: Callable[[], None]) -> int:
    """Run `body`, with a worker's number, in so many processes until a signal ends them.

    Returns an exit status. `tell` is called at SIGUSR1.

    For a process without threads and before any Trio. A worker that ends by itself takes the
    others with it: half a server would look like a slow one.
    """
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    try:
        workers = {_fork(functools.partial(body, number), old_mask) for number in range(count)}
        return _wait(workers, tell)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)


def _wait(workers: set[int], tell: Callable[[], None]) -> int:
    status: int = ExitStatus.OK
    is_stopping = False
    while workers:
        number = signal.sigwait(_WATCHED)
        if number == signal.SIGUSR1:
            tell()
            continue
        if number in _STOPPING:
            is_stopping = True
            _pass_on(number, workers)
            continue
        for pid, code in _reap(workers):
            if not is_stopping:
                is_stopping, status = True, ExitStatus.INTERNAL
                print(f"worker {pid} ended (status {code}); ending the others", file=sys.stderr)
                _pass_on(signal.SIGTERM, workers)
    return status


def _reap(workers: set[int]) -> list[tuple[int, int]]:
    """Collect the workers that have ended; one SIGCHLD may stand for several."""
    ended = []
    for pid in sorted(workers):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            workers.remove(pid)
            ended.append((pid, os.waitstatus_to_exitcode(status)))
    return ended


def _pass_on(number: int, workers: set[int]) -> None:
    for pid in workers:
        os.kill(pid, number)  # not reaped yet, so the number is still its own


def _fork(body: Callable[[], int], mask: Iterable[int]) -> int:
    master_pid = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_worker(body, mask, master_pid)
    return pid


def _be_worker(body: Callable[[], int], mask: Iterable[int], master_pid: int) -> NoReturn:
    status: int = ExitStatus.INTERNAL
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until Trio listens: no KeyboardInterrupt
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if os.getppid() == master_pid:  # else it died before prctl could have told
            status = body()
    except BaseException:  # there is nobody above who could be told
        traceback.print_exc()
    finally:
        os._exit(status)
