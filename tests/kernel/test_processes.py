"""What is read of other processes."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from spliceproxy.kernel.open_connections import OpenConnection, open_connections
from spliceproxy.kernel.process_state import RUNNING, STOPPED, read_kernel_side, read_state
from tests.e2e.processes import wait_until

SLEEPER = "import time; time.sleep(60)"


def name(address: tuple[str, int]) -> str:
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


def test_own_connections_of_both_families() -> None:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with (
            socket.create_server((host, 0), family=family) as listener,
            socket.create_connection(listener.getsockname()[:2]) as client,
        ):
            local, remote = name(client.getsockname()[:2]), name(listener.getsockname()[:2])
            assert OpenConnection(local, remote) in open_connections(os.getpid())
        assert all(one.local != local for one in open_connections(os.getpid()))


def test_a_dual_stack_listener_names_ipv4_clients_as_such() -> None:
    with (
        socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener,
        socket.create_connection(("127.0.0.1", listener.getsockname()[1])) as client,
        listener.accept()[0],
    ):
        remote, local = name(client.getsockname()), f"127.0.0.1:{listener.getsockname()[1]}"
        assert OpenConnection(local, remote) in open_connections(os.getpid())


def test_connections_of_others_are_not_taken_for_ours() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        subprocess.Popen([sys.executable, "-c", SLEEPER]) as other,
    ):
        assert open_connections(other.pid) == []
        other.kill()
    assert open_connections(other.pid) == []


def test_the_state_of_a_process() -> None:
    assert read_state(os.getpid()).letter == RUNNING
    with subprocess.Popen([sys.executable, "-c", SLEEPER]) as other:
        other.send_signal(signal.SIGSTOP)
        wait_until(lambda: read_state(other.pid).letter == STOPPED, 10, "stopped")
        told = read_kernel_side(other.pid)
        assert str(told["state"]).startswith("T")
        other.kill()
    assert not Path(f"/proc/{other.pid}").exists()
    assert read_kernel_side(other.pid) == {"state": ""}
