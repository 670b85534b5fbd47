"""Who is let in by address, how many of one client, and how often."""

from pathlib import Path

import pytest
import trio

from tests.proxy.relay import eventually
from tests.proxy.routed import Routed, routed

LET_IN = "127.0.0.2"
OTHER = "127.0.0.3"


def route(*lines: str) -> str:
    return "\n  ".join(["- listen: 127.0.0.1:0", "backends: ${one}", *lines])


async def is_served(it: Routed, source: str) -> None:
    client, backend = await it.connect(source)
    await client.send(b"ping")
    assert await backend.receive_exactly(4) == b"ping"


@pytest.mark.parametrize(
    "rule",
    [
        f"allow: {LET_IN}",
        f"deny: {OTHER}/32",
        f"deny: 127.0.0.0/8\n  allow: {LET_IN}",
        f"allow: 127.0.0.0/8\n  deny: [10.0.0.0/8, {OTHER}]",
    ],
)
async def test_networks(rule: str) -> None:
    async with routed(route(rule)) as it:
        await it.turns_away(await it.open_client(OTHER))
        await is_served(it, LET_IN)
        await it.refused("denied")
        assert it.route().accepted == 1


async def test_an_ipv4_client_of_a_dual_stack_listener_is_known_by_its_ipv4_address() -> None:
    text = "- listen: 0\n  backends: ${one}\n  deny: 127.0.0.0/8"
    async with routed(text) as it:
        it.proxy.addresses[0] = ("127.0.0.1", int(it.proxy.addresses[0][1]))
        await it.turns_away(await it.open_client())


@pytest.mark.parametrize(("more", "served"), [("", False), ("unknown_clients: admit", True)])
@pytest.mark.parametrize(
    "rule", [f"allow: {LET_IN}", f"deny: {OTHER}", "per_client: {max_connections: 1}"]
)
async def test_who_has_no_address(rule: str, more: str, served: bool, tmp_path: Path) -> None:
    listen = f"- listen: unix:{tmp_path}/listen"
    text = route(rule, *filter(None, [more])).replace("- listen: 127.0.0.1:0", listen)
    async with routed(text) as it:
        client = await it.open_client()
        if served:
            await it.accept()
        else:
            await client.receive_rest()
            await it.refused("no_client_address")


async def test_at_a_unix_socket_without_rules_nobody_is_asked_for_an_address(
    tmp_path: Path,
) -> None:
    text = route("rate: 100/s").replace("127.0.0.1:0", f"unix:{tmp_path}/listen")
    async with routed(text) as it:
        await it.connect()


async def test_a_network_that_counts_as_one_client() -> None:
    async with routed(route("per_client: {max_connections: 1, ipv4_prefix: 24}")) as it:
        first, _ = await it.connect(OTHER)
        await it.turns_away(await it.open_client(LET_IN))
        await it.refused("client_limit")
        first.reset()
        await eventually(lambda: it.taken == 0)
        await is_served(it, LET_IN)


async def test_connections_of_a_client() -> None:
    async with routed(route("per_client: {max_connections: 2}")) as it:
        first, _ = await it.connect(OTHER)
        await it.connect(OTHER)
        await it.turns_away(await it.open_client(OTHER))
        await is_served(it, LET_IN)
        await it.refused("client_limit")
        first.reset()
        await eventually(lambda: it.taken == 2)
        await is_served(it, OTHER)


async def test_the_rate_of_a_client() -> None:
    async with routed(route("per_client: {rate: {limit: 1/h, burst: 2}}")) as it:
        await is_served(it, OTHER)
        await is_served(it, OTHER)
        await it.turns_away(await it.open_client(OTHER))
        await is_served(it, LET_IN)
        await it.refused("rate_limited")


async def test_above_the_routes_rate_clients_wait() -> None:
    async with routed(route("rate: {limit: 2/s, burst: 1}")) as it:
        began_s = trio.current_time()
        clients = [await it.open_client() for _ in range(3)]
        for _ in clients:
            await it.accept()
        assert trio.current_time() - began_s >= 0.9
        assert it.route().refused == {}


async def test_one_that_is_refused_does_not_use_up_the_routes_rate() -> None:
    async with routed(route("rate: {limit: 1/h, burst: 1}", f"deny: {OTHER}")) as it:
        for _ in range(5):
            await it.turns_away(await it.open_client(OTHER))
        await is_served(it, LET_IN)


async def test_a_full_route_with_a_rate_accepts_again() -> None:
    async with routed(route("rate: 1000/s", "max_connections: 1")) as it:
        first, _ = await it.connect()
        await it.open_client()
        await trio.sleep(0.05)
        assert it.taken == 1
        first.reset()
        await it.accept()


async def test_a_flood_of_clients_is_no_flood_of_lines() -> None:
    async with routed(route("deny: 127.0.0.0/8")) as it:
        for _ in range(20):
            await it.turns_away(await it.open_client(OTHER))
        await it.refused("denied", 20)
        assert len(it.events("clients_refused")) <= 2
        await eventually(lambda: sum(line["count"] for line in it.events("clients_refused")) == 20)
    lines = it.events("clients_refused")
    assert len(lines) == 2
    assert lines[0]["count"] == 1
    assert lines[0]["reason"] == "denied"
    assert str(lines[0]["last_client"]).startswith(f"{OTHER}:")
    assert lines[0]["log_level"] == "warning"


async def test_what_was_not_told_is_told_at_the_end() -> None:
    async with routed(route("deny: 127.0.0.0/8")) as it:
        for _ in range(3):
            await it.turns_away(await it.open_client(OTHER))
    assert [line["count"] for line in it.events("clients_refused")] == [1, 2]
