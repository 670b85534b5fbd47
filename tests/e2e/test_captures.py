"""`--mirror capture:` and `spliceproxy capture`: what is there after a crash, and while it runs."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartProxy
from .peers import Backend, random_bytes, receive_exactly
from .processes import wait_until

pytestmark = pytest.mark.e2e
DATA = random_bytes(300_000)
COMMAND = str(Path(sys.executable).with_name("spliceproxy"))


def capture(*arguments: object) -> bytes:
    """What a command writes; all has to be readable."""
    done = subprocess.run(
        [COMMAND, "capture", *map(str, arguments)], capture_output=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def objects(*arguments: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capture(*arguments, "--json").splitlines()]


def test_what_a_killed_worker_had_handed_over_is_all_there(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    with Backend() as backend, ExitStack() as stack:
        mirror = ("--mirror", f"capture:{tmp_path}", "--workers", "1")
        proxy = start_proxy("--backend", backend.address, *mirror)
        proxy.expected_errors.add("worker_exited")
        talks: list[tuple[socket.socket, socket.socket]] = []
        clients: list[str] = []
        for number in range(3):
            client = stack.enter_context(proxy.connect())
            talks.append((client, stack.enter_context(backend.accept())))
            clients.append("{}:{}".format(*client.getsockname()))
            talks[-1][0].sendall(b"first of %d" % number)
            assert receive_exactly(talks[-1][1], 10) == b"first of %d" % number
        for client, server in talks:
            client.sendall(DATA)
            assert receive_exactly(server, len(DATA)) == DATA
            server.sendall(b"last words")
            assert receive_exactly(client, 10) == b"last words"

        def is_handed_over() -> bool:
            found = objects("connections", tmp_path) if list(tmp_path.iterdir()) else []
            return [each["response_bytes"] for each in found] == [10] * 3

        wait_until(is_handed_over, 30, "the last of it in the segment")  # after 0.1 s
        [segment] = objects("ls", tmp_path)
        assert segment["state"] == "being written"
        for client, _ in talks:
            client.sendall(b"under way")  # may be there, or not
        [worker] = proxy.workers()
        os.kill(worker, signal.SIGKILL)
        proxy.log.wait("worker_restarted")
        with proxy.connect() as client, backend.accept() as server:
            client.sendall(b"next")
            assert receive_exactly(server, 4) == b"next"
            wait_until(lambda: len(objects("ls", tmp_path)) == 2, 30, "a segment of the next one")
            crashed, growing = objects("ls", tmp_path)
            assert (crashed["state"], growing["state"]) == ("left by a crash", "being written")
            assert (crashed["connections"], crashed["gaps"]) == (3, 0)
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        states = [each["state"] for each in objects("ls", tmp_path)]
        assert states == ["left by a crash", "sealed"]
    found = {each["client"]: each for each in objects("connections", tmp_path)}
    for number, name in enumerate(clients):
        connection = found[name]
        assert (connection["reason"], connection["is_whole"]) == (None, False)
        request = capture("show", tmp_path, connection["connection"], "--raw", "request")
        assert request.removesuffix(b"under way") == b"first of %d" % number + DATA
        response = capture("show", tmp_path, connection["connection"], "--raw", "response")
        assert response == b"last words"
