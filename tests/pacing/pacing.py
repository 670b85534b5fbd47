"""Links with a bandwidth, and how fast they were."""

from collections.abc import Callable
from functools import partial

import trio

from spliceproxy.loop.reactor import Reactor
from spliceproxy.pacing.paced_endpoint import PacedEndpoint
from spliceproxy.pump.endpoint import EndpointMaker
from tests.meters import own_bandwidth
from tests.pump.linking import Linked, receive

BURST_S = 0.1
"""What a bucket holds at first, as time."""


def own(bytes_per_s: int) -> Callable[[Reactor], EndpointMaker]:
    return lambda reactor: partial(PacedEndpoint, bytes_per_s, None)


def shared(bytes_per_s: int) -> Callable[[Reactor], EndpointMaker]:
    """Each end has one that nobody else uses."""
    return lambda reactor: partial(PacedEndpoint, None, own_bandwidth(reactor, bytes_per_s))


def both(bytes_per_s: int) -> Callable[[Reactor], EndpointMaker]:
    return lambda reactor: partial(PacedEndpoint, bytes_per_s, own_bandwidth(reactor, bytes_per_s))


async def seconds_for(it: Linked, data: bytes) -> float:
    """How long bytes take from the client to the backend; they arrive whole."""
    began_s = trio.current_time()

    async def send() -> None:
        view = memoryview(data)
        while view:
            await trio.lowlevel.wait_writable(it.client)
            view = view[it.client.send(view) :]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        assert await receive(it.backend, len(data)) == data
    return trio.current_time() - began_s
