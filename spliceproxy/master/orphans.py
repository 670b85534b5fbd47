"""What PID 1 of a container owes its processes: it is given every orphan, and has to collect it.

Orphans are what a command behind a mirror leaves in the background, and the commands of a worker
that was killed. Uncollected ones stay zombies, until the container has no process ids left.
"""

import os

from spliceproxy.master.child import OWN_PIDS

_PID_OF_INIT = 1


def collect_orphans() -> None:
    """Collect what has ended, if this process is PID 1; never its own children.

    Those are left to who waits for them and wants their status. One that has ended hides the
    orphans behind it (waitid(2) always tells the first) until that has happened: call it again.
    """
    if os.getpid() != _PID_OF_INIT:
        return
    while (ended := _peek()) is not None and ended not in OWN_PIDS:
        os.waitpid(ended, 0)


def _peek() -> int | None:
    """Return the id of a child that has ended, and leave it there."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if ended is None else ended.si_pid
