"""`spliceproxy capture follow`: as text and as packets, until a signal."""

import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO

import pytest

from tests.capture.growing import Growing
from tests.cli.capture.conftest import FIRST

COMMAND = str(Path(sys.executable).with_name("spliceproxy"))
TIMEOUT_S = 50


@contextmanager
def following(directory: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [COMMAND, "capture", "follow", directory, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def wait_until_it_listens(stdout: IO[bytes], growing: Growing) -> None:
    """Whatever was there before it began is passed over; so something comes until it is told."""
    deadline_s = time.monotonic() + TIMEOUT_S
    growing.open(9)
    for beat in count():
        growing.data(9, b".", beat, offset=beat)
        growing.write()
        if select.select([stdout], [], [], 0.1)[0]:
            return
        assert time.monotonic() < deadline_s


def talk(growing: Growing) -> None:
    growing.open(1, 100_000)
    growing.data(1, b"question\x1b", 100_001)
    growing.data(1, b"answer", 100_002, direction="response")
    growing.end(1, 9, 100_003)
    growing.end(1, 6, 100_003, direction="response")
    growing.close(1, 100_004)
    growing.seal()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_events_come_as_text_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with Growing(tmp_path) as growing, following(tmp_path, "--text") as process:
        wait_until_it_listens(output(process), growing)
        talk(growing)
        lines: list[str] = []
        while not lines or "is over" not in lines[-1]:
            line = output(process).readline().decode()
            assert line
            lines.append(line.rstrip("\n"))
        process.send_signal(number)
        assert process.communicate(timeout=TIMEOUT_S) == (b"", b"")
        assert process.returncode == 0
    told = [line for line in lines if FIRST in line or line.startswith("    ")][-8:]
    head = f"2026-09-21T14:15:00.00%d000Z {FIRST} %s"
    assert told == [
        head % (0, "begins, route default, client 192.0.2.1:40001, backend 192.0.2.2:80"),
        head % (1, "→ request, 9 bytes at 0"),
        r"    question\x1b",
        head % (2, "← response, 6 bytes at 0"),
        "    answer",
        head % (3, "→ request ends at 9"),
        head % (3, "← response ends at 6"),
        head % (4, "is over: closed"),
    ]


@pytest.mark.parametrize("way", [("-i", "-"), ("-r", "-")])
def test_packets_come_as_they_are_captured(
    tmp_path: Path, program: Callable[[str], str], way: tuple[str, str]
) -> None:
    """As for Wireshark; tshark begins with nothing in the directory, and ends with its input."""
    with following(tmp_path, "--pcapng") as process:
        fields = ["-T", "fields", "-e", "tcp.flags.str", "-e", "tcp.payload"]
        with subprocess.Popen(
            [program("tshark"), "-n", "-l", *way, "-Y", "tcp.len > 0", *fields],
            stdin=process.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as reader:
            assert reader.stdout is not None
            with Growing(tmp_path) as growing:
                wait_until_it_listens(reader.stdout, growing)
                talk(growing)
            lines: list[bytes] = []
            while len(lines) < 2 or not lines[-1].endswith(b"answer".hex().encode()):
                lines.append(reader.stdout.readline().rstrip())
                assert lines[-1]
            assert lines[-2].endswith(b"question\x1b".hex().encode())
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_S) == 0
            output(process).close()
            assert reader.wait(TIMEOUT_S) == 0


def test_it_ends_when_nobody_reads_though_nothing_comes(tmp_path: Path) -> None:
    with following(tmp_path, "--pcapng") as process:
        assert output(process).read(4) == b"\x0a\x0d\x0d\x0a"
        output(process).close()
        assert process.wait(TIMEOUT_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
