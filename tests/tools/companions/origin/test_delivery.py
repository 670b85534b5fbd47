import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from spliceproxy.kernel.sockets import Socket
from tools.companions.origin.answer import OpenFile
from tools.companions.origin.delivery import Delivery
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.limits import Limits
from tools.companions.origin.mapped_sender import MappedSender
from tools.companions.origin.ranges import ByteRange
from tools.companions.origin.senders import Technique
from tools.companions.origin.validators import FileVersion
from tools.companions.techniques.sender import FileShrunkError

from .conftest import TEXT
from .serving import TIMEOUT_S

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both ends of a TCP connection; ours is non-blocking."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname(), timeout=TIMEOUT_S)
        ours, _ = listener.accept()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def file(root: Path) -> Iterator[OpenFile]:
    fd = os.open(root / "text.txt", os.O_RDONLY)
    yield OpenFile(fd, FileVersion.of(os.fstat(fd)), "text.txt")
    os.close(fd)


class CorkWatcher:
    """A sender that notes whether the socket holds back what is not a full segment."""

    def __init__(self) -> None:
        self.left_bytes = 4
        self.seen: list[int] = []

    def send_some(self, sock: Socket, limit_bytes: int) -> int:
        self.seen.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))
        self.left_bytes -= sock.send(b"file")
        return min(4, limit_bytes)

    def close(self) -> None:
        self.seen.append(-1)


async def test_header_and_file_are_corked_together(pair: Pair, file: OpenFile) -> None:
    ours, theirs = pair
    sender = CorkWatcher()
    delivery = Delivery(ours, Technique(lambda _file, _part: sender), Limits())
    await delivery.send(b"header ", (b"opening ", ByteRange(0, 4), b" end"), file)
    assert sender.seen == [1, -1]
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK) == 0
    assert theirs.recv(23, socket.MSG_WAITALL) == b"header opening file end"
    assert delivery.sent_bytes == 23


async def test_a_small_body_is_copied_behind_the_header(pair: Pair, file: OpenFile) -> None:
    ours, theirs = pair
    sender = CorkWatcher()
    delivery = Delivery(ours, Technique(lambda _file, _part: sender, copied_bytes=4), Limits())
    await delivery.send(b"header ", (ByteRange(3, 4),), file)
    assert theirs.recv(11, socket.MSG_WAITALL) == b"header " + TEXT[3:7]
    assert sender.seen == []
    await delivery.send(b"header ", (ByteRange(3, 2), ByteRange(5, 3)), file)
    assert len(sender.seen) > 0


async def test_a_small_body_that_is_gone(pair: Pair, file: OpenFile) -> None:
    delivery = Delivery(
        pair[0], Technique(lambda _file, _part: CorkWatcher(), copied_bytes=50), Limits()
    )
    with pytest.raises(FileShrunkError):
        await delivery.send(b"header ", (ByteRange(90, 20),), file)
    assert delivery.sent_bytes == 0


async def test_memory_larger_than_the_socket_takes(pair: Pair) -> None:
    ours, theirs = pair
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    theirs.setblocking(False)
    pieces = tuple(bytes([number]) * 200_000 for number in range(5))
    expected = b"header" + b"".join(pieces)
    received = bytearray()

    async def read() -> None:
        reader = trio.socket.from_stdlib_socket(theirs.dup())
        with reader:
            while len(received) < len(expected):
                received.extend(await reader.recv(1 << 16))

    technique = Technique(lambda _file, _part: CorkWatcher())
    with trio.fail_after(TIMEOUT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await Delivery(ours, technique, Limits()).send(b"header", pieces, None)
    assert received == expected


def test_a_map_gives_no_zeros_for_what_is_gone(pair: Pair, file: OpenFile, root: Path) -> None:
    cache = FileCache(1 << 20)
    sender = MappedSender(cache, file, ByteRange(0, len(TEXT)))
    assert sender.send_some(pair[0], 10) == 10
    os.truncate(root / "text.txt", 50)  # the page is still there, and zeros fill it
    with pytest.raises(FileShrunkError):
        sender.send_some(pair[0], 10)
    sender.close()
    cache.close()


def test_a_page_that_goes_between_look_and_copy(
    pair: Pair, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "text.txt").write_bytes(bytes(10_000))
    fd = os.open(root / "text.txt", os.O_RDONLY)
    status = os.fstat(fd)
    cache = FileCache(1 << 20)
    sender = MappedSender(cache, OpenFile(fd, FileVersion.of(status), "x"), ByteRange(9000, 100))
    os.truncate(root / "text.txt", 0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", lambda _fd: status)
        with pytest.raises(FileShrunkError):
            sender.send_some(pair[0], 100)
    sender.close()
    cache.close()
    os.close(fd)
