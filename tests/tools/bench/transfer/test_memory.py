"""Memory, and answers of several pieces, arrive unchanged by every way that is measured."""

import os
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.streams import tcp_pair
from tests.tools.bench.transfer.receiver import connected
from tools.bench.errors import BenchError
from tools.bench.transfer import batches, files, memory
from tools.bench.transfer.counting import counting
from tools.companions.shared.segments import data_segments

KIB = 1 << 10
MEMORY_WAYS: dict[str, memory.Way] = {
    "send": memory.sending,
    "vmsplice": memory.vmsplicing,
    "MSG_ZEROCOPY": memory.zero_copying,
}


@pytest.mark.parametrize("way", MEMORY_WAYS)
@pytest.mark.parametrize("send_bytes", [0, 16 * KIB])
def test_memory_arrives_unchanged(way: str, send_bytes: int) -> None:
    size = 300 * KIB
    with connected(send_bytes) as (sock, receiver), memory.filled(size) as filled:
        with MEMORY_WAYS[way](sock, 64 * KIB) as send:
            memory.send_pieces(send, filled, 64 * KIB)
        sock.close()
        assert receiver.join() == filled[:]


def test_memory_is_filled_to_its_end() -> None:
    with memory.filled(5000) as filled:
        assert len(set(filled[4000:])) > 100


@pytest.mark.parametrize("way", batches.WAYS)
def test_an_answer_has_all_pieces_in_order(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    def urandom(size: int) -> bytes:
        made.append(bytes([len(made)]) * size)
        return made[-1]

    monkeypatch.setattr(os, "urandom", urandom)
    with connected() as (sock, receiver), batches.WAYS[way]([250, 3 * KIB, 1]) as send:
        send(sock)
        send(sock)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK) == 0
        sock.close()
        assert receiver.join() == 2 * b"".join(made)


CALLS = {
    batches.EACH: 16,
    batches.CORK: 18,
    batches.MORE: 16,
    batches.VECTOR: 1,
    batches.PIPED_EACH: 17,
    batches.PIPED_VECTOR: 2,
    batches.GIFT: 2,
}


@pytest.mark.parametrize("way", batches.WAYS)
def test_one_call_or_one_segment_for_many_pieces(way: str) -> None:
    near, far = tcp_pair()
    with near, far, batches.WAYS[way]([100] * 16) as send:
        before = data_segments(near)
        with counting() as count:
            send(near)
        assert count.calls == CALLS[way]
        assert data_segments(near) - before == (16 if way == batches.EACH else 1)


@pytest.mark.parametrize("way", batches.FILE_WAYS)
def test_several_files_behind_one_cork(tmp_path: Path, way: str) -> None:
    contents = [os.urandom(1000) for _number in range(5)]
    near, far = tcp_pair()
    with near, far, ExitStack() as stack:
        fds = []
        for number, content in enumerate(contents):
            (tmp_path / str(number)).write_bytes(content)
            fds.append(stack.enter_context(files.opened(tmp_path / str(number))))
        send = stack.enter_context(batches.by_files(fds, 100, way))
        before = data_segments(near)
        send(near)
        assert far.recv(1000) == b"".join(content[:100] for content in contents)
        assert data_segments(near) - before == (5 if way == batches.SENDFILE else 1)


def test_pieces_that_the_pipe_does_not_take_are_an_error() -> None:
    near, far = tcp_pair()
    with (
        near,
        far,
        batches.by_vmsplice([1] * 300, one_call=True) as send,
        pytest.raises(BenchError, match="256 of 300"),
    ):
        send(near)
