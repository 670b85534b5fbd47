import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.bench import machine
from tools.bench.__main__ import main
from tools.bench.loads import mirror_sinks
from tools.bench.placement import Placement

REPOSITORY = Path(__file__).resolve().parents[3]
MOUNTS = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--works", "idle"], "unknown work 'idle' (known: bulk1, paced1, rr50, short)"),
        (["--peers", "nul"], "did you mean null?"),
        (["--gigabytes", "9"], "--gigabytes"),
    ],
)
def test_what_cannot_be_asked_for_is_a_usage_error(arguments: list[str], words: str) -> None:
    outcome = CliRunner().invoke(main, ["mirror", *arguments])
    assert outcome.exit_code == 2
    assert words in outcome.stderr


@pytest.mark.parametrize(
    ("path", "kind"), [("/tmp/x", "tmpfs"), ("/var/tmp", "ext4"), ("/tmpfile", "ext4")]
)
def test_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert machine.file_system(Path(path), MOUNTS) == kind


def test_dead_sink_accepts_and_the_other_refuses() -> None:
    with (
        mirror_sinks.dead() as dead,
        socket.create_connection(("127.0.0.1", dead), timeout=5) as connection,
    ):
        connection.sendall(b"nobody reads this")
    with mirror_sinks.refusing() as refusing, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", refusing), timeout=5)


def test_draining_sink_takes_more_than_sockets_hold_and_sees_the_end(tmp_path: Path) -> None:
    with (
        mirror_sinks.draining(Placement(), tmp_path) as port,
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
    ):
        connection.sendall(bytes(64 << 20))
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


@pytest.mark.e2e
@pytest.mark.slow
# A dozen programs one after the other, with the rest of the suite beside them.
@pytest.mark.timeout(180)
def test_one_short_round_gives_figures_and_accounts(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    for name in ("iperf3", "taskset"):
        program(name)
    figures = tmp_path / "figures.json"
    arguments = [
        "--works",
        "bulk1",
        "--peers",
        "spliceproxy,null,file-block,capture-block",
        "--rounds",
        "1",
    ]
    arguments += ["--gigabytes", "0.01", "--json", str(figures)]
    subprocess.run(
        [sys.executable, "-m", "tools.bench", "mirror", *arguments],
        check=True,
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        timeout=150,
    )
    report = json.loads(figures.read_text())
    assert report["failures"] == []
    peers = report["works"]["bulk1"]["peers"]
    assert peers["spliceproxy"]["mirrored_bytes"]["median"] is None
    for peer in ("file-block", "capture-block"):
        assert peers[peer]["mirrored_bytes"]["median"] > 1e6
        assert peers[peer]["lost_bytes"]["median"] == 0
    assert peers["null"]["throughput_bytes_per_s"]["ratio"]["median"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
