"""Links that have ended are freed at once, by reference counts, and not by the collector."""

import gc
from collections.abc import Callable

import pytest

from spliceproxy.loop.reactor import Reactor
from spliceproxy.pump.endpoint import Endpoint, EndpointMaker
from spliceproxy.pump.link import Link
from tests.pacing.pacing import both
from tests.pump.linking import linked, receive


def plain(_reactor: Reactor) -> EndpointMaker:
    return Endpoint


def links() -> int:
    return sum(isinstance(one, Link | Endpoint) for one in gc.get_objects())


@pytest.mark.parametrize("endpoints", [plain, both(1000)], ids=["plain", "paced"])
async def test_a_link_that_has_ended(endpoints: Callable[[Reactor], EndpointMaker]) -> None:
    gc.collect()
    gc.disable()
    try:
        before = links()
        async with linked(lifetime_s=60.0, endpoints=endpoints) as it:
            it.client.send(bytes(5_000))  # more than may pass at once where there is a limit
            assert await receive(it.backend, 100) == bytes(100)
            it.link.close("test")
        del it
        assert links() == before
    finally:
        gc.enable()
