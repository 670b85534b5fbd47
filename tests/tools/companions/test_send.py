"""What is sent arrives, by every technique."""

import os
import pty
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from spliceproxy.kernel import page_syscalls
from tests.tools.companions.programs import (
    REPOSITORY,
    accept,
    command,
    digests,
    finish,
    listening,
    read_all,
    run,
    serving,
    sha256,
)
from tests.tools.companions.techniques.sending import content
from tools.companions.techniques.advice import ADVICE
from tools.companions.techniques.sender import METHODS

DATA = content(3_000_001)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("method", METHODS)
def test_a_file_by_every_technique(method: str, path: Path) -> None:
    with serving("sink", "--checksum", "--streams", 1) as (sink, port):
        outcome = run("send", f"127.0.0.1:{port}", path, "--method", method)
        assert digests(finish(sink)) == [sha256(DATA)]
    assert outcome.returncode == 0
    assert b"3000001 of 3000001 bytes went out" in outcome.stdout
    assert b"3000001 acknowledged" in outcome.stdout
    assert outcome.stderr == b""


def test_a_range_in_slices_over_connections_of_their_own(path: Path, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    with serving("sink", "--into", into, "--streams", 3) as (sink, port):
        options = ("--offset", 1000, "--length", 2_000_000, "--parallel", 3, "--method", "splice")
        assert run("send", f"127.0.0.1:{port}", path, *options).returncode == 0
        finish(sink)
    edges = [1000, 667_666, 1_334_333, 2_001_000]
    expected = {DATA[edge:end] for edge, end in pairwise(edges)}
    assert {file.read_bytes() for file in into.iterdir()} == expected


def test_generated_data_repeats_and_is_the_same_again() -> None:
    with serving("sink", "--checksum", "--streams", 2) as (sink, port):
        for method in ("sendfile", "readwrite"):
            options = ("--generate", "20MB", "--method", method)
            assert run("send", f"127.0.0.1:{port}", *options).returncode == 0
        first, second = digests(finish(sink))
    assert first == second


def test_gifts_come_back_from_an_echo() -> None:
    with serving("echo") as (_, port):
        options = ("--generate", "5MB", "--method", "vmsplice", "--gift", "--until-closed")
        outcome = run("send", f"127.0.0.1:{port}", *options)
    assert outcome.returncode == 0
    assert b"5000000 acknowledged, 5000000 came back" in outcome.stdout


def test_a_peer_that_reads_late_sees_an_orderly_end(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"content")
    with listening() as (listener, address):
        assert run("send", address, tmp_path / "small").returncode == 0
        with accept(listener) as peer:
            assert read_all(peer) == b"content"


def test_a_terminal_gets_a_bar() -> None:
    primary, secondary = pty.openpty()
    with serving("sink", "--rate", "10MB", "--receive-buffer", "64KiB") as (_, port):
        try:
            outcome = subprocess.run(
                command("send", [f"127.0.0.1:{port}", "--generate", "8MB"]),
                stderr=secondary,
                stdout=subprocess.PIPE,
                cwd=REPOSITORY,
                check=True,
                timeout=20,
            )
            drawn = os.read(primary, 1 << 16).decode()
        finally:
            os.close(primary)
            os.close(secondary)
    assert b"8000000 acknowledged" in outcome.stdout
    assert re.search(r"\d+ MB, [\d,]+ MB/s ", drawn)
    assert "100%" in drawn


def send_small_files(tmp_path: Path, *options: object) -> tuple[bytes, bytes]:
    """Send three files, the middle one empty; what arrived, and what the sender told."""
    paths = [tmp_path / name for name in ("first", "empty", "last")]
    for path, data in zip(paths, (DATA[:500], b"", DATA[500:1200]), strict=True):
        path.write_bytes(data)
    with listening() as (listener, address):
        outcome = run("send", address, *paths, *options)
        assert outcome.returncode == 0, outcome.stderr
        with accept(listener) as peer:
            return read_all(peer), outcome.stdout


@pytest.mark.parametrize("method", METHODS)
def test_several_files_behind_one_cork_are_one_segment(method: str, tmp_path: Path) -> None:
    received, told = send_small_files(tmp_path, "--method", method, "--cork")
    assert received == DATA[:1200]
    assert b" in 1 segment, 1200 acknowledged" in told


def test_without_a_cork_each_file_is_a_segment(tmp_path: Path) -> None:
    received, told = send_small_files(tmp_path)
    assert received == DATA[:1200]
    assert b" in 2 segments, 1200 acknowledged" in told


def test_a_range_of_several_files(tmp_path: Path) -> None:
    received, _told = send_small_files(tmp_path, "--offset", 400, "--length", 300)
    assert received == DATA[400:700]


def test_advice_for_a_file_and_none_for_made_up_data(path: Path) -> None:
    advice = [word for name in ADVICE for word in ("--advise", name)]
    with serving("sink", "--checksum", "--streams", 1) as (sink, port):
        outcome = run("send", f"127.0.0.1:{port}", path, *advice)
        assert digests(finish(sink)) == [sha256(DATA)]
    assert (outcome.returncode, outcome.stderr) == (0, b"")
    refused = run("send", "127.0.0.1:1", "--generate", "1MB", *advice)
    assert refused.returncode == 2
    assert b"--advise is for a FILE" in refused.stderr


def test_a_file_that_is_not_needed_any_more_leaves_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    fd = os.open(path, os.O_RDWR)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    if page_syscalls.cached_pages(fd, 0, len(DATA)):
        os.close(fd)
        pytest.skip("temporary files are in memory here")
    with serving("sink", "--streams", 1) as (sink, port):
        # What the peer has acknowledged and not read is still in use: it is to have read all.
        options = ("--advise", "dontneed", "--until-closed")
        outcome = run("send", f"127.0.0.1:{port}", path, *options)
        finish(sink)
    assert outcome.returncode == 0
    left_pages = page_syscalls.cached_pages(fd, 0, len(DATA))
    os.close(fd)
    assert left_pages == 0
