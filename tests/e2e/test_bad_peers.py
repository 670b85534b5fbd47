"""Peers that stall, break off, or come when descriptors are used up."""

import resource
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.demo.payload import blocks

from .conftest import StartProxy
from .peers import Backend, random_bytes, receive_exactly, reset, sha256
from .processes import cpu_s, descriptors, resident_bytes, wait_until
from .test_streams import get

pytestmark = pytest.mark.e2e

STALL_S = 1.0
BEHIND_BYTES = 1 << 30
GROWTH_LIMIT_BYTES = 64 << 20


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_client_that_stalls_with_a_gigabyte_behind_it(
    start_proxy: StartProxy, origin: str, mode: str
) -> None:
    proxy = start_proxy("--backend", origin, "--workers", "1", "--splice", mode)
    (worker,) = proxy.workers()
    before_bytes = resident_bytes(worker)
    with proxy.connect() as stalled, proxy.connect() as lively:
        stalled.sendall(f"GET {BEHIND_BYTES} 9\n".encode())
        get(lively, 1 << 20, 8)
        time.sleep(STALL_S)
        get(lively, 1 << 20, 8)
        assert resident_bytes(worker) - before_bytes < GROWTH_LIMIT_BYTES
        started_s = cpu_s(worker)
        time.sleep(STALL_S)
        assert cpu_s(worker) - started_s < STALL_S / 4
        for block in blocks(BEHIND_BYTES, 9):
            assert receive_exactly(stalled, len(block)) == block
    assert resident_bytes(worker) - before_bytes < GROWTH_LIMIT_BYTES


@pytest.mark.slow
def test_a_backend_that_stalls(start_proxy: StartProxy) -> None:
    request = random_bytes(64 << 20)
    with Backend() as backend, ThreadPoolExecutor(1) as pool:
        proxy = start_proxy("--backend", backend.address, "--workers", "1")
        with proxy.connect() as client, backend.accept() as stalled:
            sending = pool.submit(client.sendall, request)
            time.sleep(STALL_S)
            with proxy.connect() as other, backend.accept() as lively:
                other.sendall(b"hello")
                assert receive_exactly(lively, 5) == b"hello"
            assert not sending.done()
            assert sha256(receive_exactly(stalled, len(request))) == sha256(request)
            sending.result(20)


@pytest.mark.parametrize("culprit", ["client", "backend"])
def test_a_reset_travels_and_loses_nothing_that_came_before(
    start_proxy: StartProxy, culprit: str
) -> None:
    payload = random_bytes(3 << 20)
    with Backend() as backend, ThreadPoolExecutor(1) as pool:
        proxy = start_proxy("--backend", backend.address)
        with proxy.connect() as client, backend.accept() as server:
            sender, receiver = (client, server) if culprit == "client" else (server, client)
            receiving = pool.submit(receive_exactly, receiver, len(payload))
            sender.sendall(payload)
            assert sha256(receiving.result(20)) == sha256(payload)
            reset(sender)
            with pytest.raises(ConnectionResetError):
                receiver.recv(1)
    assert proxy.log.wait("connection")[0]["reason"] == f"{culprit}_reset"


def test_a_client_that_leaves_in_the_middle_of_an_answer(
    start_proxy: StartProxy, origin: str
) -> None:
    proxy = start_proxy("--backend", origin)
    for _ in range(20):
        with proxy.connect() as client:
            client.sendall(b"GET 1000000000 1\n")
            receive_exactly(client, 100_000)
            # Closed with bytes unread: the kernel sends a reset.
    lines = proxy.log.wait("connection", count=20)
    assert {line["reason"] for line in lines} == {"client_reset"}


def test_used_up_descriptors_pause_accepting_only(start_proxy: StartProxy) -> None:
    with Backend() as backend, ThreadPoolExecutor(8) as pool:
        proxy = start_proxy("--backend", backend.address, "--workers", "1")
        (worker,) = proxy.workers()
        limit = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        with proxy.connect() as early, backend.accept() as server:
            early.sendall(b"1")
            assert receive_exactly(server, 1) == b"1"
            # No descriptor is left, not even for the accept.
            resource.prlimit(
                worker, resource.RLIMIT_NOFILE, (descriptors(worker).total(), limit[1])
            )
            late = [proxy.connect() for _ in range(5)]
            proxy.log.wait("accept_paused")
            started_s = cpu_s(worker)
            time.sleep(STALL_S)
            assert cpu_s(worker) - started_s < STALL_S / 4
            early.sendall(b"2")
            assert receive_exactly(server, 1) == b"2"
            resource.prlimit(worker, resource.RLIMIT_NOFILE, limit)
            proxy.log.wait("accept_resumed")
            servers = [pool.submit(backend.accept) for _ in late]
            for client, accepted in zip(late, servers, strict=True):
                with client, accepted.result(20) as late_server:
                    late_server.shutdown(socket.SHUT_WR)
        assert len(proxy.log.all("accept_paused")) == 1
    wait_until(lambda: len(proxy.log.all("connection")) == 6, 10, "all six connections have ended")
