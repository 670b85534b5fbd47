"""How a socket ends: in a FIN behind its data, or in a reset that destroys nothing."""

import socket

import pytest
import trio

from spliceproxy.kernel.sockets import prepare_stream
from spliceproxy.loop import farewell
from spliceproxy.loop.farewell import ResetAfterDelivery, close_cleanly, close_with_reset
from tests.loop.watching import eventually, running_reactor
from tests.streams import Buffers, fill_up, reset, tcp_pair

SLOW_READER = Buffers(receive_bytes=4096)


def prepared_pair() -> tuple[socket.socket, socket.socket]:
    near, far = tcp_pair(SLOW_READER)
    prepare_stream(near, 0)
    return near, far


async def read_to_end(sock: socket.socket) -> tuple[int, str]:
    received = 0
    while True:
        try:
            chunk = sock.recv(1 << 20)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(sock)
        except ConnectionResetError:
            return received, "reset"
        else:
            if not chunk:
                return received, "eof"
            received += len(chunk)


class Farewell:
    """A reset that waits for delivery, and whether it is done."""

    def __init__(self) -> None:
        self.done = 0

    def note(self) -> None:
        self.done += 1


async def test_a_clean_end_follows_the_last_byte() -> None:
    near, far = prepared_pair()
    with far:
        async with running_reactor() as reactor:
            sent = fill_up(near)
            close_cleanly(reactor, near)
            reactor.end_batch()
            assert await read_to_end(far) == (sent, "eof")


async def test_a_reset_is_at_once() -> None:
    near, far = prepared_pair()
    with far:
        async with running_reactor() as reactor:
            sent = fill_up(near)
            close_with_reset(reactor, near)
            reactor.end_batch()
            received, end = await read_to_end(far)
            assert end == "reset"
            assert received < sent


async def test_a_reset_after_delivery_lets_everything_arrive() -> None:
    near, far = prepared_pair()
    with far:
        async with running_reactor() as reactor:
            sent = fill_up(near)
            state = Farewell()
            ResetAfterDelivery(reactor, near, state.note).start()
            await trio.sleep(0.05)
            assert state.done == 0
            assert near.fileno() >= 0
            assert await read_to_end(far) == (sent, "reset")
            assert state.done == 1


async def test_with_nothing_to_deliver_there_is_nothing_to_wait_for() -> None:
    near, far = prepared_pair()
    with far:
        async with running_reactor() as reactor:
            state = Farewell()
            ResetAfterDelivery(reactor, near, state.note).start()
            assert state.done == 1
            reactor.end_batch()
            assert await read_to_end(far) == (0, "reset")


async def test_a_peer_that_is_gone_is_not_waited_for() -> None:
    near, far = prepared_pair()
    async with running_reactor() as reactor:
        fill_up(near)
        state = Farewell()
        ResetAfterDelivery(reactor, near, state.note).start()
        reset(far)
        await eventually(lambda: state.done == 1)
        await eventually(lambda: near.fileno() < 0)


async def test_a_peer_that_stands_still_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "_GIVE_UP_S", 0.1)
    near, far = prepared_pair()
    with far:
        async with running_reactor() as reactor:
            sent = fill_up(near)
            state = Farewell()
            ResetAfterDelivery(reactor, near, state.note).start()
            await eventually(lambda: state.done == 1)
            received, end = await read_to_end(far)
            assert end == "reset"
            assert received < sent


async def test_it_can_be_cut_short() -> None:
    near, far = prepared_pair()
    with far:
        async with running_reactor() as reactor:
            fill_up(near)
            state = Farewell()
            waiting = ResetAfterDelivery(reactor, near, state.note)
            waiting.start()
            waiting.cut()
            reactor.end_batch()
            assert (await read_to_end(far))[1] == "reset"
            await trio.sleep(0.05)
            assert state.done == 1
