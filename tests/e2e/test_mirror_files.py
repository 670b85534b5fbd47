"""`--mirror file:` through the command: what a crash leaves, and what a stop completes."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from .conftest import StartProxy
from .peers import Backend, random_bytes, receive_exactly
from .processes import wait_until

pytestmark = pytest.mark.e2e
DATA = random_bytes(1_500_000)


def test_files_of_a_worker_that_was_killed_are_reported_and_kept(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    with Backend() as backend:
        mirror = ("--mirror", f"file:{tmp_path}", "--workers", "1")
        proxy = start_proxy("--backend", backend.address, *mirror)
        proxy.expected_errors.add("worker_exited")
        assert proxy.log.all("unfinished_files") == []
        with proxy.connect() as client, backend.accept() as server:
            client.sendall(DATA)
            assert receive_exactly(server, len(DATA)) == DATA
            size = len(DATA)
            wait_until(
                lambda: any(p.stat().st_size == size for p in tmp_path.glob("*/*")), 10, "the file"
            )
            for pid in proxy.workers():
                os.kill(pid, signal.SIGKILL)
            proxy.log.wait("worker_restarted")
        [left] = tmp_path.glob("*/*.part")
        assert left.read_bytes() == DATA
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        second = start_proxy("--backend", backend.address, *mirror)
        [event] = second.log.wait("unfinished_files")
        assert event["files"] == [f"{left.parent.name}/{left.name}"]
        assert left.read_bytes() == DATA


def test_a_stop_completes_the_files(start_proxy: StartProxy, tmp_path: Path) -> None:
    with Backend() as backend:
        proxy = start_proxy("--backend", backend.address, "--mirror", f"file:{tmp_path}")
        with proxy.connect() as client, backend.accept() as server:
            client.sendall(DATA)
            assert receive_exactly(server, len(DATA)) == DATA
            server.sendall(b"thanks")
            assert receive_exactly(client, 6) == b"thanks"
            proxy.process.send_signal(signal.SIGTERM)
            proxy.log.wait("draining")
            client.shutdown(socket.SHUT_WR)
            assert server.recv(1) == b""
        assert proxy.wait_exit() == 0
    [line] = proxy.log.wait("connection")
    assert {account["state"] for account in line["mirrors"]} == {"complete"}
    [record] = tmp_path.glob("*/*.json")
    name = record.name.removesuffix(".json")
    assert record.with_name(f"{name}-request").read_bytes() == DATA
    assert record.with_name(f"{name}-response").read_bytes() == b"thanks"
    assert json.loads(record.read_text())["reason"] == "closed"


def test_sigquit_does_not_wait_for_a_mirror(start_proxy: StartProxy) -> None:
    with Backend() as backend, Backend() as mirror:
        proxy = start_proxy("--backend", backend.address, "--mirror", f"tcp://{mirror.address}")
        with proxy.connect() as client, backend.accept() as server, mirror.accept():
            for _ in range(4):
                client.sendall(DATA)
                assert receive_exactly(server, len(DATA)) == DATA
            proxy.process.send_signal(signal.SIGQUIT)
            assert proxy.wait_exit(timeout_s=8) == 0
    [line] = proxy.log.wait("connection")
    account = line["mirrors"][0]
    assert account["offered_bytes"] == 4 * len(DATA)
    assert account["offered_bytes"] == account["delivered_bytes"] + account["dropped_bytes"]
