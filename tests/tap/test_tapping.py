"""A tap on a live flow: nothing is lost, doubled or out of order, for the peer and the mirror."""

import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest
import trio
import trio.lowlevel

from spliceproxy.kernel.pipes import FULL_CAPACITY_BYTES, PipePool, fitting_pipes
from spliceproxy.loop.reactor import Reactor
from spliceproxy.pump.endpoint import Endpoint, EndpointMaker
from spliceproxy.pump.flow import Flow
from spliceproxy.tap.chunk import PipeChunk
from spliceproxy.tap.fan_out import Tap
from spliceproxy.tap.succession import tap_flow
from spliceproxy.tap.tap_pipes import TapPipes
from spliceproxy.tap.tapped_flow import tap_of
from tests.loop.watching import eventually
from tests.pacing.pacing import both
from tests.pump.linking import Linked, linked, receive
from tests.pump.test_link import both_modes
from tests.streams import KERNEL_CHOICE, TINY, Buffers

SIZES = (1, 10, 1000, 17_000, 70_000, 300_000)
SEEDS = range(12)


def as_fast_as_it_goes(_reactor: Reactor) -> EndpointMaker:
    return Endpoint


class Copies:
    """A branch that keeps what it gets."""

    holds = False

    def __init__(self) -> None:
        self.data = b""
        self.ended: bool | None = None
        self.missed = 0

    def offer(self, data: bytes) -> None:
        self.data += data

    def accept(self, count: int) -> int:
        return count

    def take_bytes(self, data: bytes) -> None:
        self.data += data

    def take_pipe(self, chunk: PipeChunk) -> None:
        read, write = os.pipe()
        while chunk.size:
            self.data += os.read(read, chunk.write_to(write))
        os.close(read)
        os.close(write)
        chunk.discard()

    def miss(self, count: int) -> None:
        self.missed += count

    def end(self, *, clean: bool) -> None:
        self.ended = clean

    def on_crash(self, error: Exception) -> None:
        raise error


@contextmanager
def taps() -> Iterator[TapPipes]:
    with closing(PipePool(max_pipes=8)) as pool:
        pipes = TapPipes(pool)
        yield pipes
        assert pool.statistics().in_use == 1
        pipes.close()


def attach(it: Linked, flow: Flow, pipes: TapPipes) -> tuple[Tap, Copies, int]:
    copies = Copies()
    offset = flow.taken_bytes
    tap = tap_flow(flow, pipes, fitting_pipes(it.pool, pipes.capacity_bytes))
    tap.add(copies)
    return tap, copies, offset


def send_what_fits(it: Linked, data: bytes) -> bytes:
    with suppress(BlockingIOError):
        return data[: it.client.send(data)]
    return b""


async def exchange(it: Linked, chance: random.Random, received: bytearray, steps: int) -> bytes:
    """Send now and then, receive now and then: what was sent."""
    sent = b""
    for _ in range(steps):
        if chance.random() < 0.6:
            sent += send_what_fits(it, chance.randbytes(chance.choice(SIZES)))
        else:
            with suppress(BlockingIOError):
                received += it.backend.recv(chance.choice(SIZES))
        await trio.sleep(chance.choice((0, 0, 0.001)))
    return sent


async def receive_all(it: Linked, received: bytearray) -> None:
    def read() -> bool:
        try:
            data = it.backend.recv(1 << 20)
        except BlockingIOError:
            return False
        received.extend(data)
        return not data

    await eventually(read)


@both_modes
@pytest.mark.parametrize(
    ("buffers", "endpoints"),
    [
        (KERNEL_CHOICE, as_fast_as_it_goes),
        (TINY, as_fast_as_it_goes),
        (KERNEL_CHOICE, both(32 << 20)),
    ],
    ids=["large", "tiny", "paced"],
)
@pytest.mark.parametrize("seed", SEEDS)
async def test_bytes_at_any_moment(
    splice: bool,
    buffers: Buffers,
    endpoints: Callable[[Reactor], EndpointMaker],
    seed: int,
) -> None:
    """Attached, detached and attached again at random: each copy is a piece of the stream."""
    chance = random.Random(seed)
    received = bytearray()
    with taps() as pipes:
        async with linked(splice=splice, buffers=buffers, endpoints=endpoints) as it:
            sent = await exchange(it, chance, received, chance.randrange(40))
            tap, first, start = attach(it, it.link.request, pipes)
            sent += await exchange(it, chance, received, chance.randrange(40))
            tap.remove(first)
            end = it.link.request.taken_bytes
            sent += await exchange(it, chance, received, chance.randrange(20))
            _, second, again = attach(it, it.link.request, pipes)
            sent += await exchange(it, chance, received, chance.randrange(20))
            it.client.shutdown(socket.SHUT_WR)
            await receive_all(it, received)
            assert received == sent
            assert first.data == sent[start:end]
            assert second.data == sent[again:]
            assert second.ended is True
            assert (first.missed, second.missed) == (0, 0)
            assert it.link.request.spliced_bytes + it.link.request.copied_bytes == len(sent)
            assert it.owner.refusals == []


@both_modes
async def test_what_is_pending_is_not_copied(splice: bool) -> None:
    with taps() as pipes:
        async with linked(splice=splice, buffers=TINY) as it:
            received = bytearray()
            sent = b""
            while not it.link.request.paused:
                sent += send_what_fits(it, bytes(range(256)) * 256)
                await trio.lowlevel.checkpoint()
            pending = it.link.request.pending_bytes
            before = it.link.request
            _, copies, start = attach(it, before, pipes)
            assert it.link.request is not before
            assert it.link.request.pending_bytes == pending > 0
            assert before.pending_bytes == 0
            it.client.shutdown(socket.SHUT_WR)
            await receive_all(it, received)
            assert received == sent
            assert copies.data == sent[start:]


@both_modes
async def test_a_flow_without_branches_is_a_plain_one_again(splice: bool) -> None:
    with taps() as pipes:
        async with linked(splice=splice) as it:
            plain = type(it.link.request)
            for _ in range(2):  # while it splices, and after small messages had it copy
                tap, copies, _ = attach(it, it.link.request, pipes)
                for _ in range(6):
                    await say(it, b"small")
                tap.remove(copies)
                await say(it, b"small")
                assert type(it.link.request) is plain
                assert tap_of(it.link.request) is None
                assert copies.data == 6 * b"small"


async def say(it: Linked, data: bytes) -> None:
    it.client.send(data)
    assert await receive(it.backend, len(data)) == data


@both_modes
async def test_the_direction_that_is_left_can_be_tapped(splice: bool) -> None:
    with taps() as pipes:
        async with linked(splice=splice) as it:
            it.client.shutdown(socket.SHUT_WR)
            await eventually(lambda: it.link.request.done)
            _, copies, _ = attach(it, it.link.response, pipes)
            it.backend.sendall(b"the answer")
            it.backend.shutdown(socket.SHUT_WR)
            assert await it.reason() == "closed"
            assert copies.data == b"the answer"
            assert copies.ended is True


async def test_pipes_are_no_larger_than_those_of_the_taps() -> None:
    """A tee out of a larger pipe would be short."""
    small = 256 << 10
    with closing(PipePool(capacity_bytes=small)) as pool:
        pipes = TapPipes(pool)
        async with linked() as it:
            it.pool.give_back(it.pool.borrow())  # a large one, for whoever comes next
            _, copies, _ = attach(it, it.link.request, pipes)
            received = bytearray()
            sent = await exchange(it, random.Random(5), received, 60)
            it.client.shutdown(socket.SHUT_WR)
            await receive_all(it, received)
            assert copies.missed == 0
            assert copies.data == received == sent
            assert it.pool.statistics().capacity_bytes <= small * it.pool.statistics().idle
        assert small < FULL_CAPACITY_BYTES
        pipes.close()
