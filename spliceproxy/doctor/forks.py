"""How many processes this user gets, and whether they may have threads."""

import errno
import os
import socket
import threading
from collections.abc import Iterator

from spliceproxy.doctor.finding import Finding, fail, ok
from spliceproxy.kernel.refusals import PROCESS_REMEDY
from spliceproxy.settings.proxy import Settings

_OTHERS = 2
"""Beside workers and this process, which the master is like: the admin process and a loader."""
MOST_TRIED = 64


def check_forks(settings: Settings | None) -> Iterator[Finding]:
    """Have as many processes as during a reload, at once, and a thread."""
    workers = settings.workers if settings else 1
    yield try_processes(min(2 * workers + _OTHERS, MOST_TRIED))
    yield try_thread()


def try_processes(wanted: int) -> Finding:
    """Fork so many, which live until all of them are there."""
    ours, theirs = socket.socketpair()
    children: list[int] = []
    refusal = ""
    with theirs:
        with ours:
            while len(children) < wanted and not refusal:
                try:
                    child = os.fork()
                except OSError as error:
                    refusal = errno.errorcode.get(error.errno or 0, str(error))
                    break
                if not child:
                    _wait_and_exit(ours, theirs)
                children.append(child)
        for child in children:
            os.waitpid(child, 0)
    fact = f"{len(children)} more processes at once"
    values = {"wanted": wanted, "had": len(children)}
    if not refusal:
        return ok("processes.fork", fact, **values)
    fact += f", of {wanted} that a reload may want; fork(2): refused with {refusal}"
    return fail("processes.fork", fact, PROCESS_REMEDY, **values)


def _wait_and_exit(ours: socket.socket, theirs: socket.socket) -> None:
    try:
        ours.close()
        theirs.recv(1)
    finally:
        os._exit(0)


def try_thread() -> Finding:
    """Start one, as each mirror does twice in every worker."""
    thread = threading.Thread(target=lambda: None)
    try:
        thread.start()
    except RuntimeError as error:
        fact = f"no thread can be started ({error}): mirrors cannot be had, nor lookups of names"
        return fail("processes.threads", fact, PROCESS_REMEDY)
    thread.join()
    return ok("processes.threads", "a thread can be started")
