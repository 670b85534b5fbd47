"""What the sender tells of a range that did not arrive, or could not be sent."""

import os
import re
from pathlib import Path

import pytest

from tests.tools.companions.programs import (
    accept,
    digests,
    finish,
    listening,
    read_until_reset,
    run,
    serving,
    sha256,
    started,
    stop,
)
from tests.tools.companions.techniques.sending import content

DATA = content(3_000_001)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


def test_an_interruption_tells_what_went_out() -> None:
    """The peer reads all that the sender has: it is what was acknowledged, and perhaps more."""
    with (
        listening() as (listener, address),
        started("send", address, "--generate", "1GB", "--chunk", "64KiB") as process,
        accept(listener) as peer,
    ):
        begun = peer.recv(10_000)
        output = stop(process)
        received = len(begun) + read_until_reset(peer)
    assert process.returncode == 130
    counts = re.match(r"(\d+) of 1000000000 bytes went out .*, (\d+) acknowledged", output)
    assert counts is not None
    taken, acknowledged = map(int, counts.groups())
    assert 0 < acknowledged <= received <= taken < 1_000_000_000


def test_a_resumed_file_is_whole(path: Path) -> None:
    """A receiver that breaks off, and the rest from where the sender says."""
    with serving("sink", "--reset-after", 500_000, "--streams", 1) as (sink, port):
        outcome = run("send", f"127.0.0.1:{port}", path)
        finish(sink)
    assert outcome.returncode == 1
    words = re.search(rb"resume with --offset (\d+) --length (\d+)", outcome.stderr)
    assert words is not None
    offset, length = map(int, words.groups())
    assert offset + length == len(DATA)
    with serving("sink", "--checksum", "--streams", 1) as (sink, port):
        again = run("send", f"127.0.0.1:{port}", path, "--offset", offset, "--length", length)
        assert digests(finish(sink)) == [sha256(DATA[offset:])]
    assert again.returncode == 0


def test_a_peer_that_stalls_ends_in_a_timeout() -> None:
    with serving("sink", "--stall-after", 1000, "--receive-buffer", 4096) as (_, port):
        options = ("--generate", "100MB", "--timeout", "200ms")
        outcome = run("send", f"127.0.0.1:{port}", *options)
    assert outcome.returncode == 1
    assert b"no progress within 0.2 s" in outcome.stderr


def test_a_file_cut_meanwhile_ends_in_a_reset(path: Path) -> None:
    with listening() as (listener, address):
        os.truncate(path, 100 << 20)
        with started("send", address, path, "--chunk", "64KiB") as process:
            with accept(listener) as peer:
                peer.recv(1000)
                os.truncate(path, 1000)
                read_until_reset(peer)
            _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"the file ends at byte" in errors


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["127.0.0.1:1", "/nowhere"], 2, "cannot read '/nowhere'"),
        (["127.0.0.1:1", "/"], 2, "is not a regular file"),
        (["127.0.0.1:1"], 2, "give --generate SIZE"),
        (["127.0.0.1:1", "/etc/passwd", "--generate", "1KB"], 2, "name one FILE"),
        (["127.0.0.1:1", "/etc/passwd", "--gift"], 2, "--gift is for --method vmsplice"),
        (["127.0.0.1:1", "--generate", "1KB", "--offset", "2KB"], 2, "behind the end"),
        (["127.0.0.1:1", "--generate", "1KB", "--length", "2KB"], 2, "there are 1000 bytes"),
        (["127.0.0.1:1", "--generate", "1KB", "--chunk", "0"], 2, "is too small"),
        (["127.0.0.1", "--generate", "1KB"], 2, "has no port"),
        (["127.0.0.1:1", "--generate", "1KB"], 1, "127.0.0.1:1 failed"),
    ],
)
def test_what_cannot_be_sent(arguments: list[str], status: int, words: str) -> None:
    outcome = run("send", *arguments)
    assert outcome.returncode == status
    assert words in outcome.stderr.decode()
