"""Backends that go down, and come back, behind a serving proxy."""

import pytest
import trio

from spliceproxy.ipc.health_cells import Admin, BackendOrderCell
from spliceproxy.settings.health import EjectionSettings, HealthCheckSettings
from tests.proxy.pooled import Pooled, pooled
from tests.proxy.relay import eventually

CHECK = HealthCheckSettings(interval_s=0.05, timeout_s=0.5, rise=2, fall=2)


async def goes(proxied: Pooled, number: int, *, up: bool) -> None:
    """Wait until checks have noticed."""
    await eventually(lambda: proxied.backends[number].state.up is up)


async def test_a_backend_that_is_down_gets_no_connections() -> None:
    async with pooled({}, {}, health_check=CHECK, balance="first") as proxied:
        proxied.stop(0)
        await goes(proxied, 0, up=False)
        with trio.fail_after(5):
            client = await proxied.open_client()
            await client.send(b"hello")
            await receive_by(proxied, 1, b"hello")
        assert proxied.events("connect_failed") == []
        proxied.start_again(0)
        await goes(proxied, 0, up=True)
        client = await proxied.open_client()
        await client.send(b"again")
        await receive_by(proxied, 0, b"again")
    assert len(proxied.events("backend_down")) == len(proxied.events("backend_up")) == 1


async def receive_by(proxied: Pooled, number: int, data: bytes) -> None:
    """The bytes arrive at that backend, whatever checks come before."""
    while True:
        arrived, far = await proxied.arrival()
        try:
            received = await far.receive_some()
        except ConnectionError:
            continue  # a check
        if received:
            assert (arrived, received) == (number, data)
            return


async def test_all_down_then_up() -> None:
    async with pooled({}, {}, health_check=CHECK) as proxied:
        for number in (0, 1):
            proxied.stop(number)
        for number in (0, 1):
            await goes(proxied, number, up=False)
        client = await proxied.open_client()
        assert await client.receive_rest() == (b"", "reset")
        assert (await proxied.ended())["reason"] == "backends_down"
        proxied.start_again(1)
        await goes(proxied, 1, up=True)
        client = await proxied.open_client()
        await client.send(b"hello")
        await receive_by(proxied, 1, b"hello")


@pytest.mark.parametrize("on_down", ["keep", "close"])
async def test_live_connections_of_a_backend_that_goes_down(on_down: str) -> None:
    async with pooled({}, health_check=CHECK, on_down=on_down) as proxied:
        client = await proxied.open_client()
        await client.send(b"hello")
        await receive_by(proxied, 0, b"hello")
        proxied.stop(0)
        await goes(proxied, 0, up=False)
        if on_down == "close":
            assert await client.receive_rest() == (b"", "reset")
            assert (await proxied.ended())["reason"] == "backend_down"
        else:
            await trio.sleep(0.6)
            assert proxied.events("connection") == []


async def test_a_backend_that_refuses_is_ejected_and_comes_back() -> None:
    ejection = EjectionSettings(after=2, first_s=0.2, longest_s=0.2)
    async with pooled({}, {}, balance="first", ejection=ejection) as proxied:
        proxied.stop(0)
        assert await proxied.numbers(4) == [1, 1, 1, 1]
        assert proxied.events("backend_ejected")[0]["reason"] == "backend_refused"
        (route,) = proxied.proxy.status().routes
        assert [backend.state for backend in route.backends] == ["ejected", "up"]
        proxied.start_again(0)
        await goes(proxied, 0, up=True)
        assert await proxied.numbers(1) == [0]
        await eventually(lambda: proxied.told("connect_failed") == 2)


async def test_the_only_backend_is_tried_although_it_is_ejected() -> None:
    ejection = EjectionSettings(after=1, first_s=60.0)
    async with pooled({}, ejection=ejection) as proxied:
        proxied.stop(0)
        client = await proxied.open_client()
        assert await client.receive_rest() == (b"", "reset")
        proxied.start_again(0)
        assert await proxied.numbers(2) == [0, 0]


async def test_orders_of_the_operator() -> None:
    async with pooled({}, {}, balance="first", on_down="close") as proxied:
        _, client, _ = await proxied.connect()
        row = proxied.backends[0].health._orders
        row.cells[BackendOrderCell.ADMIN] = Admin.DRAIN
        await goes(proxied, 0, up=False)
        assert await proxied.numbers(1) == [1]
        assert proxied.events("connection") == []
        (route,) = proxied.proxy.status().routes
        assert [backend.state for backend in route.backends] == ["draining", "up"]
        row.cells[BackendOrderCell.ADMIN] = Admin.DISABLED
        assert await client.receive_rest() == (b"", "reset")
        assert (await proxied.ended())["reason"] == "backend_down"


async def test_room_at_a_backend_that_is_up_again_goes_to_who_waits() -> None:
    async with pooled({"max_connections": 1}, {}, balance="first", health_check=CHECK) as proxied:
        proxied.stop(1)
        await goes(proxied, 1, up=False)
        first = await proxied.open_client()
        await first.send(b"first")
        await receive_by(proxied, 0, b"first")
        second = await proxied.open_client()
        await second.send(b"second")
        await eventually(lambda: len(proxied.proxy.worker.opener.pools[0].queue) == 1)
        proxied.start_again(1)
        await receive_by(proxied, 1, b"second")


async def test_a_worker_that_drains_checks_no_more() -> None:
    async with pooled({}, health_check=CHECK) as proxied:
        client = await proxied.open_client()
        await client.send(b"hello")
        await receive_by(proxied, 0, b"hello")
        proxied.proxy.worker.drain()
        proxied.stop(0)
        await trio.sleep(0.3)
        assert proxied.backends[0].state.up
        assert proxied.events("backend_down") == []
