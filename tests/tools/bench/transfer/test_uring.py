"""Operations of io_uring bring every byte over; where they are refused, that is what is told."""

import errno
import json
import mmap
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from spliceproxy.kernel import io_uring
from tests.faults import ENDLESS, FailAt
from tests.kernel_filter import ERRNO, run_filtered
from tests.streams import tcp_pair
from tests.tools.bench.transfer.receiver import connected
from tools.bench.errors import BenchError
from tools.bench.transfer import files, memory, relays, submission_ring, uring, uring_moves
from tools.bench.transfer.counting import counting
from tools.bench.transfer.submission_ring import NOP, READ, SEND, Operation, SubmissionRing, taken

KIB = 1 << 10
IO_URING_SETUP = 425
CONTENT = os.urandom(300 * KIB)


def why_refused() -> str:
    try:
        SubmissionRing().close()
    except BenchError as refusal:
        return str(refusal)
    return ""


REFUSAL = why_refused()
needs_ring = pytest.mark.skipif(bool(REFUSAL), reason=REFUSAL or "there is a ring")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "content"
    file.write_bytes(CONTENT)
    return file


@pytest.fixture
def ring() -> Iterator[SubmissionRing]:
    with closing(SubmissionRing(4)) as made:
        yield made


@needs_ring
def test_completions_are_those_of_the_operations_round_and_round(ring: SubmissionRing) -> None:
    for _number in range(20):
        found = ring.run([Operation(NOP, -1)] * 3)
        assert [(one.number, one.result) for one in found] == [(0, 0), (1, 0), (2, 0)]


@needs_ring
def test_a_link_breaks_where_bytes_are_missing(ring: SubmissionRing, path: Path) -> None:
    near, far = tcp_pair()
    with near, far, files.opened(path) as fd, mmap.mmap(-1, 1 << 20) as buffer:
        near.setblocking(True)
        address = submission_ring.address_of(buffer)
        read = Operation(READ, fd, address, 1 << 20)  # more than the file has
        send = Operation(SEND, near.fileno(), address, 10)
        short, cancelled = ring.run([read, send], linked=True)
        assert taken(short) == len(CONTENT)
        assert cancelled.result == -errno.ECANCELED
        with pytest.raises(OSError, match="ECANCELED of an operation of io_uring"):
            taken(cancelled)
        with pytest.raises(BlockingIOError):
            far.recv(1)


@needs_ring
@pytest.mark.parametrize("way", uring_moves.FILE_WAYS)
def test_a_file_arrives_unchanged(way: str, path: Path) -> None:
    piece_bytes = 64 * KIB
    with (
        connected(send_bytes=16 * KIB) as (sock, receiver),
        files.opened(path) as fd,
        uring_moves.FILE_WAYS[way](piece_bytes) as move,
    ):
        for offset in range(0, len(CONTENT), piece_bytes):
            move(fd, offset, min(piece_bytes, len(CONTENT) - offset), sock)
        sock.close()
        assert receiver.join() == CONTENT


@needs_ring
@pytest.mark.parametrize("way", uring_moves.RELAY_WAYS)
def test_a_stream_is_relayed_unchanged(way: str) -> None:
    near, far = tcp_pair()
    with (
        near,
        far,
        uring_moves.RELAY_WAYS[way](64 * KIB) as move,
        connected(send_bytes=16 * KIB) as (destination, receiver),
    ):
        near.settimeout(10)
        sender = threading.Thread(target=near.sendall, args=(CONTENT,))
        sender.start()
        assert relays.relay(move, far, destination, len(CONTENT)) == len(CONTENT)
        sender.join()
        destination.close()
        assert receiver.join() == CONTENT


@needs_ring
def test_send_zc_tells_that_loopback_copies() -> None:
    sent = uring_moves.Sent()
    with (
        memory.filled(300 * KIB) as filled,
        connected() as (sock, receiver),
        uring_moves.sending_memory(sock, sent) as send,
    ):
        memory.send_pieces(send, filled, 64 * KIB)
        sock.close()
        assert receiver.join() == filled[:]
    assert sent.copied == sent.notified <= 5


@needs_ring
def test_links_are_one_call(path: Path) -> None:
    near, far = tcp_pair()
    calls = {}
    with near, far, files.opened(path) as fd:
        for way, make in uring_moves.FILE_WAYS.items():
            with make(4 * KIB) as move, counting() as count:
                move(fd, 0, 4 * KIB, near)
            calls[way] = count.calls
    assert calls["uring read, send"] == calls["uring splice"] == 2
    assert calls["uring read+send linked"] == calls["uring splice linked"] == 1


def test_a_pair_is_connected() -> None:
    with uring.pair() as (near, far):
        near.send(b"hello")
        far.settimeout(10)
        assert far.recv(10) == b"hello"
        assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def refused_ring(monkeypatch: pytest.MonkeyPatch, code: int) -> str:
    monkeypatch.setattr(io_uring, "setup", FailAt(io_uring.setup, 1, code, times=ENDLESS))
    return why_refused()


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOSYS])
def test_a_refused_ring_says_why(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = f"io_uring_setup(2) is refused with {errno.errorcode[code]}: "
    assert refused_ring(monkeypatch, code).startswith(refused)


def test_a_setting_that_cannot_be_read_is_no_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(submission_ring, "_SETTING", tmp_path / "absent")
    assert "a sandbox does not allow it" in refused_ring(monkeypatch, errno.EPERM)


def test_rows_without_a_ring_say_why_and_the_others_stand(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    arguments = ("--works", "uring-message", "--rounds", "1", "--seconds", "0.01", "--no-pin")
    outcome = run_filtered(
        IO_URING_SETUP,
        ERRNO | errno.EPERM,
        "tools.bench",
        *("transfer", *arguments, "--json", str(figures)),
    )
    assert outcome.returncode == 0, outcome.stderr
    report = json.loads(figures.read_text())
    told = "io_uring_setup(2) is refused with EPERM: a sandbox does not allow it"
    failures = report["failures"]
    assert len(failures) == len(uring_moves.RELAY_WAYS)
    assert all(line.startswith("uring-message, uring ") and told in line for line in failures)
    assert "cpu_us_per_answer" in report["works"]["uring-message"]["peers"]["splice"]
