"""Backends that come and go by the thousand, in the shared table of two workers."""

import socket
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import SrvAddress
from spliceproxy.settings.health import HealthCheckSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.upstream.backend import Backend
from spliceproxy.upstream.group import Group, Member
from spliceproxy.upstream.membership import Membership
from spliceproxy.upstream.resolved import Resolved
from tests.ipc.tables import DAY_S, Clock, as_another_process_has_it, table_of

SERVICE = BackendSettings(address=SrvAddress("_web._tcp.example.test"))
ROUTE = RouteSettings(
    name="web",
    listen=(ListenSettings(address=TcpAddress("127.0.0.1", 0)),),
    backends=(SERVICE,),
    health_check=HealthCheckSettings(fall=1),
)


def listed(*numbers: int) -> Group:
    members = []
    for number in numbers:
        address = TcpAddress(f"pod-{number}.example.test", 80)
        sockets = (SocketAddress(socket.AF_INET, ("127.0.0.1", 80), "127.0.0.1:80"),)
        members.append(Member(SERVICE, Resolved(address, str(address), sockets), 1, 0))
    return Group(SERVICE, tuple(members), None, changes=True)


class Worker:
    """What a worker knows of the backends."""

    def __init__(self, table: SharedTable, slot: int) -> None:
        self.table = table
        self.slot = slot
        table.enter(slot)
        self.membership = Membership([listed()], ROUTE, table, slot=slot, tells=False)

    def backend(self, number: int) -> Backend:
        name = f"pod-{number}.example.test:80"
        return next(one for one in self.membership.backends if one.state.name == name)

    def look(self) -> None:
        self.membership.share_health()
        self.table.touch(self.slot)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def workers(clock: Clock) -> Iterator[list[Worker]]:
    for table in table_of(300):
        yield [Worker(as_another_process_has_it(table), slot) for slot in range(2)]


def is_shared(workers: list[Worker], number: int) -> bool:
    """Whether what the first one finds out is known to the other."""
    checker, other = (worker.backend(number) for worker in workers)
    checker.health.checked("backend_refused")
    other.health.look(time.monotonic())
    return not other.state.up


def test_health_is_shared_however_many_names_have_come_and_gone(
    workers: list[Worker], clock: Clock
) -> None:
    table = workers[0].table
    for first in range(0, 12_000, 30):
        workers[0].membership.replace(0, listed(*range(first, first + 30)))
        workers[1].membership.replace(0, listed(first))
        clock.go_on(60.0)
        for worker in workers:
            worker.look()
        table.reclaim()
        with capture_logs():
            assert is_shared(workers, first)
        assert all(one.health.is_shared for worker in workers for one in worker.membership.backends)
    assert table.use().refused == 0


def test_a_backend_that_comes_back_has_its_health_for_a_day(
    workers: list[Worker], clock: Clock
) -> None:
    (worker, _), table = workers, workers[0].table
    for pause_s, is_known in ((DAY_S / 2, True), (2 * DAY_S, False)):
        worker.membership.replace(0, listed(1))
        worker.backend(1).health.checked("backend_refused")
        worker.membership.replace(0, listed())
        for _ in range(2):
            for each in workers:
                each.look()
            table.reclaim()
            clock.go_on(pause_s)
        for each in workers:
            each.look()
        table.reclaim()
        worker.membership.replace(0, listed(1))
        assert worker.backend(1).state.up is not is_known


def test_health_is_shared_as_soon_as_a_full_table_has_room(
    workers: list[Worker], clock: Clock
) -> None:
    table = workers[0].table
    others = [table.claim(f"other {number}") for number in range(300)]
    with capture_logs() as log:
        for worker in workers:
            worker.membership.replace(0, listed(1))
        assert not is_shared(workers, 1)
        assert not any(worker.backend(1).health.is_shared for worker in workers)
        del others
        clock.go_on(2 * DAY_S)
        for worker in workers:
            worker.look()
        table.reclaim()
        for worker in workers:
            worker.look()
    assert is_shared(workers, 1)
    assert not workers[1].backend(1).state.up, "what was known goes along"
    assert [line["event"] for line in log].count("shared_table_full") == 1
