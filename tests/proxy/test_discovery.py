"""Backends that DNS lists, which come and go under a serving proxy."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.ipc.rows import Kind, row_name
from spliceproxy.ipc.table_memory import now_us
from spliceproxy.observe import listed_backends
from spliceproxy.serving import serve
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import DnsSettings, SrvAddress
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.upstream import health
from tests.proxy.peer import Peer
from tests.proxy.pooled import ANY_PORT, Player, Pooled, close_all
from tests.proxy.relay import eventually
from tools.soak.dns_server import DnsServer, Zone, serving_dns

SERVICE = "_web._tcp.example.test"


def listed(players: list[Player], *numbers: int) -> tuple[int, list[str]]:
    return 3600, [f"1 1 {players[number].port} a.example.test." for number in numbers]


@asynccontextmanager
async def discovered(
    count: int, *numbers: int, addresses: Sequence[str] = ("127.0.0.1",), **route: Any
) -> AsyncIterator[tuple[Pooled, DnsServer]]:
    """Serve a route whose backends are those that the name server lists."""
    inbox, arrivals = trio.open_memory_channel[tuple[int, Peer]](100)
    players = [Player(number, inbox) for number in range(count)]
    zone: Zone = {
        (SERVICE, "SRV"): listed(players, *numbers),
        ("a.example.test", "A"): (3600, list(addresses)),
    }
    peers: list[Peer] = []
    with serving_dns(zone) as server, capture_logs() as log, trio.fail_after(30):
        settings = Settings(
            workers=1,
            dns=DnsSettings(servers=(server.address,)),
            routes=(
                RouteSettings(
                    listen=(ListenSettings(address=ANY_PORT),),
                    backends=(BackendSettings(address=SrvAddress(SERVICE)),),
                    **{"resolve_interval_s": 0.1, **route},
                ),
            ),
        )
        try:
            async with serve(settings) as proxy, trio.open_nursery() as nursery:
                for player in players:
                    nursery.start_soon(player.accept)
                yield Pooled(proxy, players, log, arrivals, nursery, peers), server
                nursery.cancel_scope.cancel()
            # Nobody waits for the thread of a lookup that is cancelled: it keeps its socket, and
            # its token of Trio's limiter, until the server has answered.
            threads = trio.to_thread.current_default_thread_limiter()
            await eventually(lambda: not threads.borrowed_tokens)
        finally:
            close_all(players, peers, arrivals)


async def test_targets_come_and_go_and_live_connections_stay() -> None:
    async with discovered(3, 0, 1) as (proxied, server):
        assert set(await proxied.numbers(2)) == {0, 1}
        _, client, far = await proxied.connect()
        port = str(proxied.players[0].port)
        stayed = next(one for one in proxied.backends if one.state.name.endswith(port))
        server.zone[SERVICE, "SRV"] = listed(proxied.players, 0, 2)
        await eventually(lambda: bool(proxied.events("backends_changed")))
        assert set(await proxied.numbers(4)) == {0, 2}
        assert stayed in proxied.backends
        await client.send(b"still there")
        assert await far.receive_exactly(11) == b"still there"
    (line,) = proxied.events("backends_changed")
    assert line["come"] == [f"a.example.test:{proxied.players[2].port}"]
    assert line["gone"] == [f"a.example.test:{proxied.players[1].port}"]


async def test_a_turn_that_is_due_stays_due() -> None:
    async with discovered(3, 0, 1) as (proxied, server):
        (first,) = await proxied.numbers(1)
        server.zone[SERVICE, "SRV"] = listed(proxied.players, 0, 1, 2)
        await eventually(lambda: bool(proxied.events("backends_changed")))
        assert first not in await proxied.numbers(2)


async def test_a_higher_priority_number_is_a_backup() -> None:
    async with discovered(2, 0, 1) as (proxied, server):
        one, other = (player.port for player in proxied.players)
        server.zone[SERVICE, "SRV"] = (
            1,
            [f"1 1 {one} a.example.test.", f"2 9 {other} a.example.test."],
        )
        await eventually(lambda: proxied.backends[1].state.tier == 1)
        assert await proxied.numbers(3) == [0, 0, 0]
        proxied.stop(0)
        assert await proxied.numbers(1) == [1]


async def test_what_does_not_resolve_any_more_stays_in_use() -> None:
    async with discovered(2, 0, 1) as (proxied, server):
        for zone in ((1, []), (1, ["0 0 0 ."])):
            server.zone[SERVICE, "SRV"] = zone
            before = len(proxied.events("lookup_failed"))
            await eventually(lambda: len(proxied.events("lookup_failed")) > before)  # noqa: B023
            assert set(await proxied.numbers(2)) == {0, 1}
        server.zone[SERVICE, "SRV"] = listed(proxied.players, 1)
        await eventually(lambda: len(proxied.backends) == 1)
        assert await proxied.numbers(2) == [1, 1]


async def test_without_an_interval_the_name_server_says_how_long() -> None:
    async with discovered(1, 0, resolve_interval_s=None) as (proxied, server):
        asked = len(server.asked)
        await trio.sleep(0.3)
        assert len(server.asked) == asked
        (lookups,) = proxied.proxy.worker.opener.lookups
        (group,) = lookups._groups
        assert 3500 < lookups.interval_s(group) <= 3600


async def test_the_status_has_the_backends_that_are_listed_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with discovered(3, 0, 1) as (proxied, server):
        names = [f"a.example.test:{player.port}" for player in proxied.players]
        (route,) = proxied.proxy.status().routes
        assert sorted(one.name for one in route.backends) == sorted(names[:2])
        server.zone[SERVICE, "SRV"] = listed(proxied.players, 0, 2)
        await eventually(lambda: bool(proxied.events("backends_changed")))
        proxied.proxy.worker._rows.look()
        (route,) = proxied.proxy.status().routes
        assert names[2] in {one.name for one in route.backends if one.state == "up"}
        later_us = now_us() + 3600 * 10**6
        monkeypatch.setattr(health, "now_us", lambda: later_us)
        monkeypatch.setattr(listed_backends, "now_us", lambda: later_us)
        proxied.proxy.worker._rows.look()
        (route,) = proxied.proxy.status().routes
        assert [one.name for one in route.backends] == sorted([names[0], names[2]])
        even_later_us = later_us + 3600 * 10**6
        monkeypatch.setattr(health, "now_us", lambda: even_later_us)
        monkeypatch.setattr(listed_backends, "now_us", lambda: even_later_us)
        proxied.proxy.worker.drain()
        proxied.proxy.worker._rows.look()
        (route,) = proxied.proxy.status().routes
        assert route.backends == [], "one that drains is no authority"


async def test_rows_of_backends_that_are_gone_are_let_go_with_their_last_connection() -> None:
    async with discovered(2, 0, 1) as (proxied, server):
        worker = proxied.proxy.worker
        table = worker._tally.table
        peers = [peer for _ in range(2) for peer in (await proxied.connect())[1:]]
        stays, gone = (
            row_name(Kind.BACKEND, 0, "default", f"a.example.test:{player.port}")
            for player in proxied.players
        )
        server.zone[SERVICE, "SRV"] = listed(proxied.players, 0)
        await eventually(lambda: bool(proxied.events("backends_changed")))

        def names() -> set[str]:
            worker._rows.look()
            table.reclaim(kept_s=0.0)
            return {row.name for row in table.rows()}

        assert names() >= {stays, gone}
        for peer in peers:
            peer.close()
        await eventually(lambda: not worker.sessions)
        assert stays in names()
        assert gone not in names()
