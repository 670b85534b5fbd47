"""Collecting orphans, in a process that is PID 1 of a namespace of its own."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from spliceproxy.master.orphans import collect_orphans

UNSHARE = ("--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")

AS_PID_ONE = """\
import os
from spliceproxy.master.child import fork_child
from spliceproxy.master.orphans import collect_orphans

def zombies():
    found = []
    for pid in open("/proc/self/task/1/children").read().split():
        if open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z":
            found.append(int(pid))
    return found

def leave_orphan(hold):
    parent = os.fork()
    if parent == 0:
        if os.fork() == 0:
            os.read(hold, 1)  # lives until it is an orphan
        os._exit(0)
    os.waitpid(parent, 0)

def wait_for_zombies(count):
    while len(zombies()) < count:
        os.sched_yield()

assert os.getpid() == 1
hold, let_go = os.pipe()
leave_orphan(hold)
own = fork_child(0, lambda orders: 7)
leave_orphan(hold)
os.write(let_go, b"xx")
wait_for_zombies(3)
collect_orphans()
assert own.pid in zombies()
assert own.reap() == 7
collect_orphans()
assert zombies() == []
given_up = [fork_child(0, lambda orders: 0) for _ in range(2)]
wait_for_zombies(2)
for child in given_up:
    child.forget()
collect_orphans()
assert zombies() == []
collect_orphans()
print("done")
"""


def test_pid_one(program: Callable[[str], str]) -> None:
    argv = [program("unshare"), *UNSHARE]
    if subprocess.run([*argv, "true"], capture_output=True, check=False, timeout=20).returncode:
        pytest.skip("no namespaces can be made here")
    command = [*argv, sys.executable, "-c", AS_PID_ONE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_any_other_process_leaves_its_children_alone() -> None:
    child = os.fork()
    if child == 0:
        os._exit(3)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    collect_orphans()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
