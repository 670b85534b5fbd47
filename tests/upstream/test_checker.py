"""When backends are checked."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import DnsSettings
from spliceproxy.settings.health import HealthCheckSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.upstream import checker as module
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.checker import MOST_AT_ONCE, Checker
from spliceproxy.upstream.group import find_groups
from spliceproxy.upstream.pool import BackendPool
from spliceproxy.upstream.resolver import Resolver

ROUTES = 40


class Probes:
    """Checks that end when the test says so."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.under_way = self.most_under_way = 0
        self.may_end = trio.Event()

    async def __call__(self, backend: Backend, check: HealthCheckSettings) -> str:
        self.made.append(backend.state.name)
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        await self.may_end.wait()
        self.under_way -= 1
        return ""


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Probes:
    probes = Probes()
    monkeypatch.setattr(module, "probe", probes)
    return probes


@contextmanager
def pools(interval_s: float, routes: int = ROUTES) -> Iterator[list[BackendPool]]:
    """Routes with a backend each."""
    with closing(SharedTable(2 * routes)) as table, closing(Reactor()) as reactor:
        yield [
            BackendPool(reactor, find_groups(one.backends, Resolver(DnsSettings())), one, table)
            for one in (route(number, interval_s) for number in range(routes))
        ]


def route(number: int, interval_s: float) -> RouteSettings:
    return RouteSettings(
        name=f"r{number}",
        listen=(ListenSettings(address=TcpAddress("127.0.0.1", 0)),),
        backends=(BackendSettings(address=TcpAddress("127.0.0.1", 1 + number)),),
        health_check=HealthCheckSettings(interval_s=interval_s),
    )


@asynccontextmanager
async def checking(pools: list[BackendPool]) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Checker(pools).run)
        await trio.testing.wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


async def test_the_first_checks_are_spread_over_the_interval(probes: Probes) -> None:
    with pools(interval_s=3600.0) as made:
        before_s = time.monotonic()
        async with checking(made):
            assert probes.made == ["127.0.0.1:1"]
            due_s = [pool.backends[0].health.check_due_s() - before_s for pool in made]
            for number, wait_s in enumerate(due_s):
                assert wait_s == pytest.approx(3600.0 * number / ROUTES, abs=5.0)
            assert all(pool.backends[0].state.up for pool in made)


async def test_so_are_those_that_a_successor_finds_overdue(probes: Probes) -> None:
    with pools(interval_s=3600.0) as made:
        for pool in made:
            pool.backends[0].health.checked("backend_refused")
            pool.backends[0].health.check_at(time.monotonic() - 5.0)
        async with checking(made):
            assert len(probes.made) == 1
            assert not any(pool.backends[0].state.up for pool in made), "what was known stays"


async def test_a_check_comes_an_interval_after_the_last_one(probes: Probes) -> None:
    probes.may_end.set()
    with pools(interval_s=3600.0, routes=1) as made:
        async with checking(made):
            await trio.sleep(3 * module._LONGEST_SLEEP_S)
            assert len(probes.made) == 1
            wait_s = made[0].backends[0].health.check_due_s() - time.monotonic()
            assert 3000.0 < wait_s < 4000.0


async def test_those_under_way_at_once_are_bounded(probes: Probes) -> None:
    with pools(interval_s=0.05) as made, trio.fail_after(30):
        async with checking(made):
            while probes.under_way < MOST_AT_ONCE:  # noqa: ASYNC110 - probes tell nobody
                await trio.sleep(0.01)
            await trio.sleep(0.2)
            assert probes.under_way == MOST_AT_ONCE
            probes.may_end.set()
            while len(set(probes.made)) < ROUTES:  # noqa: ASYNC110
                await trio.sleep(0.01)
    assert probes.most_under_way == MOST_AT_ONCE


async def test_who_does_not_share_a_backends_health_checks_it_by_itself(probes: Probes) -> None:
    probes.may_end.set()
    settings = [route(number, 3600.0) for number in range(2)]
    with closing(SharedTable(2)) as table, closing(Reactor()) as reactor, capture_logs():
        made = [
            BackendPool(reactor, find_groups(one.backends, Resolver(DnsSettings())), one, table)
            for one in settings
        ]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Checker(made, for_all=False).run)
            with trio.fail_after(30):
                while not probes.made:  # noqa: ASYNC110 - probes tell nobody
                    await trio.sleep(0.01)
            await trio.sleep(2 * module._LONGEST_SLEEP_S)
            nursery.cancel_scope.cancel()
    assert probes.made == ["127.0.0.1:2"], (
        "the other one's is shared, and checked by another worker"
    )
