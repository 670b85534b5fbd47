"""Two processes at a ring: every byte arrives, and a death is told as one."""

import subprocess
from dataclasses import replace

import pytest

from tests.tools.companions.ring.opened import WAKES, each_wake
from tools.companions.ring import compare
from tools.companions.ring.errors import ReaderGoneError, RingError, WriterDiedError
from tools.companions.ring.ring import Wake, created
from tools.companions.ring.sender import Order, block
from tools.companions.ring.ways import WAYS, Receive, pidfd

CAPACITY_BYTES = 10_000  # no multiple of a page or a chunk: every copy meets the ring's end
ORDER = Order(total_bytes=3_000_001, chunk_bytes=4_099, timeout_s=10, is_checked=True)
RINGS = [f"ring-{wake}" for wake in WAKES]


@pytest.mark.parametrize("way", [*RINGS, "pipe", "socketpair"])
def test_every_byte_arrives_unchanged(way: str) -> None:
    compare.carry(way, ORDER, CAPACITY_BYTES)


def read_all(read: Receive, received: bytearray) -> None:
    buffer = memoryview(bytearray(1_000))
    while count := read(buffer):
        received += buffer[:count]


@pytest.mark.parametrize("way", RINGS)
def test_a_writer_that_dies_leaves_all_that_it_published(way: str) -> None:
    died_after_bytes = 5 * ORDER.chunk_bytes
    order = Order(1 << 20, ORDER.chunk_bytes, 10, die_after_bytes=died_after_bytes)
    received = bytearray()
    with WAYS[way](order, CAPACITY_BYTES) as (sender, read):
        with pytest.raises(WriterDiedError, match="the writer died: all 20,495 bytes") as caught:
            read_all(read, received)
        with pytest.raises(RingError, match="status -9"):
            sender.cost()
    assert caught.value.read_bytes == died_after_bytes
    assert received == block(order.chunk_bytes) * 5


@each_wake
def test_a_writer_learns_that_its_reader_died(wake: Wake) -> None:
    with (
        subprocess.Popen(["sleep", "60"]) as stranger,
        pidfd(stranger.pid) as reader_fd,
        created(10, wake) as ring,
        ring.writer(reader_fd) as writer,
    ):
        assert writer.put(memoryview(b"more than fits")) == 10
        stranger.kill()
        with pytest.raises(ReaderGoneError):
            writer.write(b"more", 10)


@pytest.mark.parametrize(
    ("missing_bytes", "spoiled_bits", "words"),
    [(0, 1, "not those that were sent"), (1, 0, "3,000,000 of 3,000,001 bytes came")],
)
def test_a_changed_or_missing_byte_is_an_error(
    missing_bytes: int, spoiled_bits: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(read: Receive, size: int, *, is_checked: bool) -> compare.Received:
        received = real(read, size, is_checked=is_checked)
        return replace(
            received,
            total_bytes=received.total_bytes - missing_bytes,
            crc32=received.crc32 ^ spoiled_bits,
        )

    real = compare.receive
    monkeypatch.setattr(compare, "receive", spoiled)
    with pytest.raises(RingError, match=words):
        compare.carry("pipe", ORDER, CAPACITY_BYTES)
