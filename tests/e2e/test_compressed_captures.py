"""`compress=zstd`: one process beside the workers, which may die, and nothing else notices."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartProxy
from .dropped import UID, assert_has_nothing, needs_root, root_launcher, roots_directory, status
from .peers import Backend, random_bytes, receive_exactly
from .processes import children, is_alive, wait_until
from .proxy_command import ProxyCommand
from .unprivileged import USER

pytestmark = pytest.mark.e2e
DATA = random_bytes(200_000) + bytes(1_000_000)
COMMAND = str(Path(sys.executable).with_name("spliceproxy"))


def talk(proxy: ProxyCommand, backend: Backend) -> None:
    """Have a connection, and enough of it for a segment."""
    with proxy.connect() as client, backend.accept() as server:
        client.sendall(DATA)
        assert receive_exactly(server, len(DATA)) == DATA
        server.sendall(b"answer")
        assert receive_exactly(client, 6) == b"answer"


def gives_way(pid: int) -> bool:
    """Whether a process runs only when no other one wants to."""
    is_nice = os.getpriority(os.PRIO_PROCESS, pid) == 19
    return is_nice and os.sched_getscheduler(pid) == os.SCHED_IDLE


def compressed(directory: Path) -> list[str]:
    return [path.name for path in sorted(directory.glob("*.zst"))]


def raw(directory: Path) -> list[str]:
    return [path.name for path in directory.glob("*.capture")]


def connections(directory: Path) -> list[dict[str, Any]]:
    """What the command reads, which has to be whole."""
    done = subprocess.run(
        [COMMAND, "capture", "connections", directory, "--json"],
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_sealed_segments_are_compressed_by_one_process_apart_from_the_workers(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    options = "segment_bytes=1MiB&segment_age=1s&compress=zstd"
    with Backend() as backend:
        mirror = ("--mirror", f"capture:{tmp_path}?{options}", "--workers", "2")
        proxy = start_proxy("--backend", backend.address, *mirror)
        [started] = proxy.log.wait("compressor_started")
        assert started["pid"] not in proxy.workers()
        assert sorted(children(proxy.pid)) == sorted([*proxy.workers(), started["pid"]])
        wait_until(lambda: gives_way(started["pid"]), 20, "it has taken its place")
        talk(proxy, backend)
        wait_until(lambda: compressed(tmp_path) and not raw(tmp_path), 50, "it is compressed")
        # It is killed, and another one goes on; traffic and segments don't notice.
        proxy.expected_errors.add("compressor_exited")
        os.kill(started["pid"], signal.SIGKILL)
        before = len(compressed(tmp_path))
        talk(proxy, backend)
        wait_until(lambda: len(compressed(tmp_path)) > before, 50, "another one")
        again = proxy.log.wait("compressor_started", count=2)[-1]
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        assert not is_alive(again["pid"])
    assert sum(event["segments"] for event in proxy.log.all("segments_compressed")) >= 1
    found = connections(tmp_path)
    assert [(one["request_bytes"], one["is_whole"]) for one in found] == [(len(DATA), True)] * 2


def test_one_that_hangs_holds_up_neither_traffic_nor_the_end(
    start_proxy: StartProxy, tmp_path: Path
) -> None:
    with Backend() as backend:
        mirror = f"capture:{tmp_path}?segment_bytes=1MiB&compress=zstd&overflow=block"
        proxy = start_proxy("--backend", backend.address, "--mirror", mirror)
        [started] = proxy.log.wait("compressor_started")
        os.kill(started["pid"], signal.SIGSTOP)
        for _ in range(2):
            talk(proxy, backend)
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        assert not is_alive(started["pid"])
    assert compressed(tmp_path) == []
    assert [one["is_whole"] for one in connections(tmp_path)] == [True, True]


@needs_root
def test_it_has_no_more_rights_than_a_worker(start_proxy: StartProxy) -> None:
    with root_launcher() as launcher, roots_directory() as directory, Backend() as backend:
        place = directory / "captures"
        mirror = ("--mirror", f"capture:{place}?segment_bytes=1MiB&compress=zstd")
        proxy = start_proxy(
            "--backend", backend.address, "--user", USER, *mirror, launcher=launcher
        )
        [started] = proxy.log.wait("compressor_started")
        wait_until(lambda: gives_way(started["pid"]), 20, "it has taken its place")
        assert_has_nothing(status(started["pid"]))
        talk(proxy, backend)
        wait_until(lambda: compressed(place) and not raw(place), 50, "it is compressed")
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.wait_exit() == 0
        [segment] = place.glob("*.zst")
        assert (segment.stat().st_uid, segment.stat().st_mode & 0o777) == (UID, 0o600)


def test_a_reload_begins_and_ends_it(start_proxy: StartProxy, tmp_path: Path) -> None:
    directory, config = tmp_path / "captures", tmp_path / "routes.yaml"

    def write(options: str) -> None:
        config.write_text(
            f"routes:\n  - listen: 127.0.0.1:0\n    backends: ['{backend.address}']\n"
            f"    mirrors: ['capture:{directory}?{options}']\n"
        )

    with Backend() as backend:
        write("segment_bytes=1MiB")
        proxy = start_proxy("--config", str(config))
        assert proxy.log.all("compressor_started") == []
        write("segment_bytes=1MiB&compress=zstd")
        proxy.process.send_signal(signal.SIGHUP)
        [started] = proxy.log.wait("compressor_started")
        write("segment_bytes=1MiB")
        proxy.process.send_signal(signal.SIGHUP)
        proxy.log.wait("reloaded", count=2)
        wait_until(lambda: not is_alive(started["pid"]), 20, "its end")
        proxy.settle()
