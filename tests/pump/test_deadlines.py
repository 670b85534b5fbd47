"""How long a half-closed link may be silent, and how long any link may last."""

import socket

import pytest
import trio

from tests.loop.watching import eventually
from tests.pump.linking import linked, receive

SHORT_S = 0.1


@pytest.mark.parametrize("first", ["client", "backend"])
async def test_silence_after_one_direction_has_ended(first: str) -> None:
    async with linked(half_closed_timeout_s=SHORT_S) as it:
        near = it.client if first == "client" else it.backend
        near.shutdown(socket.SHUT_WR)
        assert await it.reason() == "half_closed_timeout"


async def test_a_link_with_both_directions_may_be_silent_for_longer() -> None:
    async with linked(half_closed_timeout_s=SHORT_S) as it:
        await trio.sleep(3 * SHORT_S)
        assert it.owner.ended == []


async def test_the_direction_that_is_left_may_go_on_for_as_long_as_it_speaks() -> None:
    async with linked(half_closed_timeout_s=1.0) as it:
        it.client.shutdown(socket.SHUT_WR)
        began_s = trio.current_time()
        while trio.current_time() < began_s + 1.5:
            it.backend.send(b"x")
            assert await receive(it.client, 1) == b"x"
            await trio.sleep(0.02)
        assert it.owner.ended == []


async def test_without_it_the_idle_timeout_holds_for_what_is_left() -> None:
    async with linked(idle_timeout_s=SHORT_S) as it:
        it.client.shutdown(socket.SHUT_WR)
        assert await it.reason() == "idle_timeout"


async def test_a_lifetime_ends_whatever_is_moved() -> None:
    async with linked(lifetime_s=3 * SHORT_S) as it:
        began_s = trio.current_time()
        while not it.owner.ended:
            it.client.send(b"x")
            await trio.sleep(0.01)
        assert await it.reason() == "lifetime_timeout"
        assert trio.current_time() - began_s >= 3 * SHORT_S


async def test_a_link_that_ends_before_leaves_no_deadline() -> None:
    async with linked(lifetime_s=60.0, half_closed_timeout_s=60.0) as it:
        it.client.shutdown(socket.SHUT_WR)
        await eventually(lambda: it.link.request.done)
        it.backend.shutdown(socket.SHUT_WR)
        assert await it.reason() == "closed"
        assert not any(it.reactor.timers._slots.values())
