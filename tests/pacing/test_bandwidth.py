"""Bytes pass no faster than they may; all else about a link is as it was."""

import errno
import os
import socket
from collections.abc import Callable
from functools import partial

import pytest
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.loop.reactor import Reactor
from spliceproxy.pacing.paced_endpoint import PacedEndpoint
from spliceproxy.pump.endpoint import EndpointMaker
from tests.faults import FailAt
from tests.loop.watching import eventually
from tests.meters import own_bandwidth
from tests.pacing.pacing import BURST_S, both, own, seconds_for, shared
from tests.pacing.test_shared_bandwidth import Reader
from tests.pump.linking import linked, receive
from tests.streams import reset

both_modes = pytest.mark.parametrize("splice", [True, False], ids=["splice", "copy"])
each_limit = pytest.mark.parametrize("limit", [own, shared, both])

Limit = Callable[[int], Callable[[Reactor], EndpointMaker]]


@both_modes
@each_limit
@pytest.mark.parametrize("bytes_per_s", [2_000, 4 << 20])
async def test_bytes_take_their_time(splice: bool, limit: Limit, bytes_per_s: int) -> None:
    data = os.urandom(bytes_per_s // 2)
    async with linked(splice=splice, endpoints=limit(bytes_per_s)) as it:
        took_s = await seconds_for(it, data)
    assert took_s >= 0.5 - BURST_S - 0.01


@both_modes
@each_limit
async def test_the_end_comes_behind_the_last_byte(splice: bool, limit: Limit) -> None:
    data = os.urandom(100_000)
    async with linked(splice=splice, endpoints=limit(400_000)) as it:
        it.client.send(data)
        it.client.shutdown(socket.SHUT_WR)
        assert await receive(it.backend, len(data) + 1) == data
        it.backend.send(b"answer")
        it.backend.shutdown(socket.SHUT_WR)
        assert await receive(it.client, 6) == b"answer"
        assert await it.reason() == "closed"


@both_modes
async def test_a_reset_comes_behind_the_last_byte(splice: bool) -> None:
    data = os.urandom(100_000)
    async with linked(splice=splice, endpoints=own(200_000)) as it:
        it.client.send(data)
        await trio.sleep(0.02)
        reset(it.client)
        assert await receive(it.backend, len(data)) == data
        assert await it.reason() == "client_reset"


async def test_one_direction_waits_and_the_other_does_not() -> None:
    async with linked(endpoints=own(10_000)) as it:
        it.client.send(bytes(20_000))
        await eventually(lambda: it.link.client.kept_waiting)
        it.backend.send(b"x" * 500)
        assert await receive(it.client, 500) == b"x" * 500
        assert it.link.client.kept_waiting


async def test_nothing_spins_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async with linked(endpoints=own(1_000)) as it:
        it.client.send(bytes(10_000))
        await eventually(lambda: it.link.client.kept_waiting)
        before = sum(it.reactor.batches)
        await trio.sleep(0.2)
        assert sum(it.reactor.batches) - before <= 25  # one each 10 ms at most


async def test_to_be_made_to_wait_is_not_to_be_silent() -> None:
    async with linked(idle_timeout_s=0.05, endpoints=own(10)) as it:
        it.client.send(bytes(5))
        assert await receive(it.backend, 5) == bytes(5)
        assert await it.reason() == "idle_timeout"  # but only now


async def test_to_wait_for_ones_turn_is_not_to_be_silent() -> None:
    others: list[Reader] = []

    def endpoints(reactor: Reactor) -> EndpointMaker:
        bandwidth = own_bandwidth(reactor, 50)
        others.extend(Reader(bandwidth, wants=1) for _ in range(20))
        for other in others:
            other.ask()
        return partial(PacedEndpoint, None, bandwidth)

    async with linked(idle_timeout_s=0.1, endpoints=endpoints) as it:
        it.client.send(bytes(2))  # each waits for some twenty others, at 20 ms
        assert await receive(it.backend, 2) == bytes(2)
        for other in others:
            other.stops = True
        assert await it.reason() == "idle_timeout"  # but only now


@each_limit
async def test_a_link_that_ends_while_it_waits_leaves_nothing(limit: Limit) -> None:
    async with linked(endpoints=limit(1_000)) as it:
        it.client.send(bytes(10_000))
        await eventually(lambda: it.link.client.kept_waiting)
        it.link.close("test")
        if it.link.client._shared is not None:  # type: ignore[attr-defined]
            assert not it.link.client._shared._line  # type: ignore[attr-defined]


@pytest.mark.parametrize("call", [1, 2], ids=["filling", "draining"])
async def test_what_a_flow_read_is_accounted_for_though_another_goes_on(call: int) -> None:
    burst_bytes = 200
    async with linked(endpoints=own(int(burst_bytes / BURST_S))) as it:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(syscalls, "splice", FailAt(syscalls.splice, call, errno.EINVAL))
            it.client.send(bytes(burst_bytes))
            assert await receive(it.backend, burst_bytes) == bytes(burst_bytes)
        assert it.link.request.copied_bytes == burst_bytes
        assert isinstance(it.link.client, PacedEndpoint)
        assert it.link.client._own is not None
        assert it.link.client._own._left_bytes == 0
