import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tools.bench import children, memory, process_tree
from tools.bench.errors import BenchError
from tools.bench.works import idle

STAT = "42 (a (strange) name) S 7 42 42 0 -1 4194560 0 0 0 0 100 200 30 40 20 0 1 0 500 0 25 0"
FORKING = """
import os, sys, time
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(60)
"""


def test_stat_of_a_process_with_parentheses_in_its_name() -> None:
    stat = process_tree.parse_stat(STAT)
    assert (stat.pid, stat.parent_pid) == (42, 7)
    assert stat.reaped_children_cpu_s == pytest.approx(70 / process_tree.TICKS_PER_S)
    assert stat.resident_bytes == 25 * process_tree.PAGE_BYTES


def test_cpu_of_a_child_that_ended_is_still_counted(tmp_path: Path) -> None:
    before_s = process_tree.cpu_s(os.getpid())
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    children.run_to_end("burn", [sys.executable, "-c", burn], tmp_path, 30)
    assert process_tree.cpu_s(os.getpid()) - before_s >= 0.28


def test_private_memory_and_page_tables_are_added() -> None:
    rollup = "Rss:  9000 kB\nPss:  5000 kB\nPss_Anon:  300 kB\n"
    assert memory.parse_private(rollup, "VmPTE:\t      20 kB\n") == 320 * 1024


@pytest.mark.parametrize(
    ("during", "after", "is_undisturbed"),
    [
        ((1_000, 110), (0, 10), True),
        ((1_000, None), (50, 10), True),
        ((1_000, 110), (500, 10), False),  # closing did not give back what opening took
        ((1_000, 150), (0, 10), False),  # somebody else opened sockets
        ((-500, 110), (0, 10), False),  # somebody else closed many
    ],
)
def test_memory_that_others_change_meanwhile_is_not_believed(
    during: tuple[int, int | None], after: tuple[int, int], is_undisturbed: bool
) -> None:
    before, during_kernel, after_kernel = (
        memory.Kernel(*reading) for reading in ((0, 10), during, after)
    )
    assert idle.is_undisturbed(before, during_kernel, after_kernel, 100) is is_undisturbed


def test_tcp_sockets_in_slabinfo() -> None:
    slabinfo = "slabinfo - version: 2.1\ntw_sock_TCP 5 5 256\nTCP                   91    156\n"
    assert memory.parse_tcp_sockets(slabinfo) == 91
    assert memory.parse_tcp_sockets("") is None


def test_grandchildren_end_with_the_block_even_after_an_error(tmp_path: Path) -> None:
    block = ExitStack()
    child = block.enter_context(
        children.running("forking", [sys.executable, "-c", FORKING], tmp_path)
    )
    child.wait_until(lambda: child.last_words().isdigit(), "forked")
    grandchild = int(child.last_words())
    assert grandchild in [stat.pid for stat in process_tree.tree(child.pid)]
    with pytest.raises(ZeroDivisionError), block:
        raise ZeroDivisionError
    assert not is_running(child.pid)
    deadline = time.monotonic() + 5
    while is_running(grandchild) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(grandchild)


def is_running(pid: int) -> bool:
    """Tell a process from a zombie that nobody has waited for."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_program_that_fails_is_told_with_its_last_line(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import sys; print('why'); sys.exit(3)"]
    with pytest.raises(BenchError, match=r"failing failed \(status 3\): why"):
        children.run_to_end("failing", argv, tmp_path, 30)


def test_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot start no-such-program: No such file"):
        children.run_to_end("gone", ["no-such-program"], tmp_path, 30)
