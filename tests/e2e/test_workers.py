"""Workers that are killed or stopped under load: the others go on."""

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from tools.demo.traffic import expected_sha256

from .conftest import StartProxy
from .peers import receive_exactly, sha256
from .processes import wait_until
from .proxy_command import ProxyCommand
from .test_streams import get

pytestmark = pytest.mark.e2e

# More than all the buffers on the way can hold.
ANSWER_BYTES = 48 << 20
CONNECTIONS_EACH = 3


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def is_settled(proxy: ProxyCommand, worker: int) -> bool:
    return proxy.sockets_above_baseline()[worker] == 2 * CONNECTIONS_EACH


@contextmanager
def downloads_on_both_workers(proxy: ProxyCommand) -> Iterator[list[socket.socket]]:
    """Start downloads that nobody reads yet, as many on each worker."""
    with ExitStack() as stack:
        clients: list[socket.socket] = []
        for taking, other in (proxy.workers(), proxy.workers()[::-1]):
            # A worker that is stopped leaves new connections to the other one.
            with stopped(other):
                for _ in range(CONNECTIONS_EACH):
                    clients.append(stack.enter_context(proxy.connect()))
                    clients[-1].sendall(f"GET {ANSWER_BYTES} 5\n".encode())
                wait_until(partial(is_settled, proxy, taking), 20, "two sockets for each")
        yield clients


def download(client: socket.socket) -> str:
    return sha256(receive_exactly(client, ANSWER_BYTES))


def count_broken(downloads: list[Future[str]]) -> int:
    """Wait for every download; what is not whole must have failed visibly."""
    broken = 0
    for done in downloads:
        error = done.exception(30)
        if error is None:
            assert done.result() == expected_sha256(ANSWER_BYTES, 5)
        else:
            assert isinstance(error, ConnectionResetError | AssertionError), error
            broken += 1
    return broken


def test_a_killed_worker_takes_only_its_own_connections(
    start_proxy: StartProxy, origin: str
) -> None:
    proxy = start_proxy("--backend", origin, "--workers", "2")
    proxy.expected_errors.add("worker_exited")
    before = proxy.workers()
    with (
        downloads_on_both_workers(proxy) as clients,
        ThreadPoolExecutor(2 * CONNECTIONS_EACH) as threads,
    ):
        os.kill(before[0], signal.SIGKILL)
        downloads = [threads.submit(download, client) for client in clients]
        assert count_broken(downloads) == CONNECTIONS_EACH
        exited = proxy.log.wait("worker_exited")[0]
        assert (exited["pid"], exited["signal"]) == (before[0], "SIGKILL")
        proxy.log.wait("worker_restarted")
        after = proxy.workers()
        assert len(after) == 2
        assert before[1] in after
        # The newcomer takes its share: it must serve when the other cannot.
        with stopped(before[1]), proxy.connect() as client:
            get(client, 100_000, 6)


def test_a_stopped_worker_goes_on_where_it_was(start_proxy: StartProxy, origin: str) -> None:
    proxy = start_proxy("--backend", origin, "--workers", "2")
    with (
        downloads_on_both_workers(proxy) as clients,
        ThreadPoolExecutor(2 * CONNECTIONS_EACH) as threads,
    ):
        with stopped(proxy.workers()[0]):
            downloads = [threads.submit(download, client) for client in clients]
            # The other worker's downloads end meanwhile, and it takes new connections.
            wait_until(lambda: sum(map(Future.done, downloads)) >= 2, 20, "downloads go on")
            with proxy.connect() as client:
                get(client, 100_000, 6)
        assert count_broken(downloads) == 0


def test_every_worker_killed_in_turn_comes_back(start_proxy: StartProxy, origin: str) -> None:
    proxy = start_proxy("--backend", origin, "--workers", "2")
    proxy.expected_errors.add("worker_exited")
    for number, victim in enumerate(proxy.workers(), 1):
        os.kill(victim, signal.SIGKILL)
        proxy.log.wait("worker_restarted", count=number)
    assert len(proxy.workers()) == 2
    with proxy.connect() as client:
        get(client, 100_000, 7)
