"""A route whose backend's name stands for its own listener, for a while or for good."""

import socket
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.errors import UsageProblem
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.serving import serve
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import DnsSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.upstream.group import Group, Member
from spliceproxy.upstream.resolved import Resolved
from tests.ports import free_port
from tests.proxy.relay import eventually
from tools.soak.dns_server import Zone, serving_dns

NAME = "a.example.test"


def zone(ip: str) -> Zone:
    return {(NAME, "A"): (3600, [ip])}


def route(name: str, port: int, backend: TcpAddress, host: str | None = "127.0.0.1") -> Any:
    return RouteSettings(
        name=name,
        listen=(ListenSettings(address=TcpAddress(host, port)),),
        backends=(BackendSettings(address=backend),),
    )


async def answer(port: int) -> bytes:
    """What a client gets: a byte, or nothing where it is turned away."""
    try:
        async with await trio.open_tcp_stream("127.0.0.1", port) as client:
            return bytes(await client.receive_some(1))
    except (OSError, trio.BrokenResourceError):
        return b""


@pytest.mark.parametrize("host", ["127.0.0.1", None], ids=["one address", "every address"])
async def test_a_name_that_leads_back(host: str | None) -> None:
    port = free_port()
    records = zone("127.0.0.1")
    with (
        serving_dns(records) as server,
        capture_logs() as log,
        trio.fail_after(30),
    ):
        settings = Settings(
            workers=1,
            dns=DnsSettings(servers=(server.address,)),
            routes=(route("a", port, TcpAddress(NAME, port), host),),
        )
        async with serve(settings):
            for _ in range(3):
                assert await answer(port) == b""
            reasons = [event["reason"] for event in log if event["event"] == "connection"]
            assert reasons == ["loop"] * 3  # and no connection more, of the proxy to itself
            (told,) = [event for event in log if event["event"] == "backend_loops"]
            assert (told["route"], told["backend"]) == ("a", f"127.0.0.1:{port}")


async def test_a_name_that_leads_back_until_it_is_looked_up_again() -> None:
    port = free_port()
    with (
        serving_dns(zone("127.0.0.1")) as server,
        socket.create_server(("127.0.0.2", port)) as backend,
        trio.fail_after(30),
    ):
        settings = Settings(
            workers=1,
            dns=DnsSettings(servers=(server.address,)),
            routes=(route("a", port, TcpAddress(NAME, port)),),
        )
        async with serve(settings) as proxy:
            assert await answer(port) == b""
            (pool,) = proxy.worker.opener.pools
            pool.replace(0, found(settings.routes[0].backends[0], "127.0.0.2"))
            async with await trio.open_tcp_stream("127.0.0.1", port) as client:
                accepted, _ = await trio.to_thread.run_sync(backend.accept)
                with accepted:
                    accepted.sendall(b"x")
                    assert await client.receive_some(1) == b"x"
            pool.replace(0, found(settings.routes[0].backends[0], "127.0.0.1"))
            assert await answer(port) == b""


def found(backend: BackendSettings, ip: str) -> Group:
    """What a lookup finds when the name stands for this address."""
    assert isinstance(backend.address, TcpAddress)
    address = backend.address
    target = SocketAddress(socket.AF_INET, (ip, address.port), f"{ip}:{address.port}")
    member = Member(backend, Resolved(address, str(address), (target,)), 1, 0)
    return Group(backend, (member,), None, changes=True)


async def test_a_ring_of_routes_whose_names_tell_it_only_when_they_resolve() -> None:
    one, other = free_port(), free_port()
    with serving_dns(zone("127.0.0.1")) as server, capture_logs() as log, trio.fail_after(30):
        settings = Settings(
            workers=1,
            dns=DnsSettings(servers=(server.address,)),
            routes=(
                route("a", one, TcpAddress(NAME, other)),
                route("b", other, TcpAddress(NAME, one)),
            ),
        )
        async with serve(settings):
            assert await answer(one) == await answer(other) == b""
            await eventually(lambda: len(log) >= 4)
    assert [event["route"] for event in log if event["event"] == "backend_loops"] == ["a", "b"]


async def test_one_route_may_lead_to_another() -> None:
    first, second = free_port(), free_port()
    with socket.create_server(("127.0.0.1", 0)) as backend, trio.fail_after(30):
        settings = Settings(
            workers=1,
            routes=(
                route("a", first, TcpAddress("127.0.0.1", second)),
                route("b", second, TcpAddress("127.0.0.1", backend.getsockname()[1])),
            ),
        )
        async with serve(settings), await trio.open_tcp_stream("127.0.0.1", first) as client:
            accepted, _ = await trio.to_thread.run_sync(backend.accept)
            with accepted:
                accepted.sendall(b"x")
                assert await client.receive_some(1) == b"x"


async def test_what_the_settings_tell_is_refused_at_the_start() -> None:
    port = free_port()
    settings = Settings(workers=1, routes=(route("a", port, TcpAddress("127.0.0.1", port), None),))
    with pytest.raises(UsageProblem, match="leads back to this route"):
        async with serve(settings):
            pass
