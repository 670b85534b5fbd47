"""The splitter: every target has the same bytes, or is told of."""

import hashlib
import socket
import subprocess
from pathlib import Path

import pytest

from tests.tools.companions.programs import (
    REPOSITORY,
    accept,
    command,
    connect,
    finish,
    listening,
    listening_port,
    run,
    serving,
    started,
)
from tests.tools.companions.techniques.sending import content

DATA = content(3_000_001)


def test_a_stream_goes_to_files_a_socket_and_standard_output(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with serving("sink", "--checksum", "--streams", 1) as (sink, port):
        outcome = run("split", one, f"tcp://127.0.0.1:{port}", two, "-", given=DATA)
        assert hashlib.sha256(DATA).hexdigest() in (line := finish(sink))
    assert "closed" in line
    assert outcome.returncode == 0
    assert outcome.stdout == one.read_bytes() == two.read_bytes() == DATA


def test_a_connection_is_split(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with started("split", "--listen", "127.0.0.1:0", one, two) as process:
        with connect(listening_port(process.stderr)) as sock:
            sock.sendall(DATA)
        finish(process)
    assert process.returncode == 0
    assert one.read_bytes() == two.read_bytes() == DATA


@pytest.mark.parametrize("bad_is_last", [False, True])
def test_a_target_that_fails_is_left_out(tmp_path: Path, bad_is_last: bool) -> None:
    good = tmp_path / "good"
    with listening() as (listener, address):
        bad = f"tcp://{address}"
        names = (good, bad) if bad_is_last else (bad, good)
        with subprocess.Popen(
            command("split", names),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
        ) as process:
            accept(listener).close()
            _, errors = process.communicate(DATA, timeout=20)
    assert process.returncode == 1
    assert b"bytes, then" in errors
    assert good.read_bytes() == DATA


def test_a_source_that_resets_resets_the_targets(tmp_path: Path) -> None:
    with (
        listening() as (listener, address),
        started(
            "split",
            "--listen",
            "127.0.0.1:0",
            tmp_path / "one",
            f"tcp://{address}",
        ) as process,
    ):
        port = listening_port(process.stderr)
        with accept(listener) as target, connect(port) as sock:
            sock.sendall(b"begun")
            assert target.recv(100) == b"begun"
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
            with pytest.raises(ConnectionResetError):
                target.recv(100)
        assert process.wait(20) == 1


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("tcp://nowhere", 2, "has no port"),
        ("/nowhere/at/all", 3, "No such file or directory"),
        ("tcp://127.0.0.1:1", 3, "Connection refused"),
    ],
)
def test_targets_that_cannot_be_opened(target: str, status: int, words: str) -> None:
    outcome = run("split", target)
    assert outcome.returncode == status
    assert words in outcome.stderr.decode()
    assert outcome.stderr.count(b"\n") == 1


def test_an_append_only_output_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "log").open("ab") as log:
        outcome = subprocess.run(
            command("split", ["-"]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            check=False,
            timeout=20,
        )
    assert outcome.returncode == 2
    assert b"append mode" in outcome.stderr


def test_an_input_that_cannot_be_spliced(tmp_path: Path) -> None:
    outcome = subprocess.run(
        command("split", [tmp_path / "one"]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=REPOSITORY,
        check=False,
        timeout=20,
    )
    assert outcome.returncode == 3
    assert b"put 'cat |' before split" in outcome.stderr
