"""The metrics page tells of routes, backends and mirrors for a day after the last worker that had
them has let go of them, and no longer."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from spliceproxy.admin.metrics.page import render
from spliceproxy.ipc.description import (
    BackendDescription,
    Description,
    MirrorDescription,
    RouteDescription,
)
from spliceproxy.ipc.health_cells import Admin, BackendOrderCell
from spliceproxy.ipc.rows import BackendCell
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.observe.status_reader import StatusReader
from spliceproxy.observe.tally import MirrorTally, RouteTally, Tally
from spliceproxy.policy.balance.state import BackendState
from spliceproxy.settings.pool import PoolSettings
from spliceproxy.upstream.health import BackendHealth, claim_rows, judging
from tests.ipc.tables import DAY_S, Clock, as_another_process_has_it, table_of

JUDGED = judging("web", PoolSettings())


def description(*routes: RouteDescription) -> Description:
    return Description(1, 0.0, 0, False, 0, 0, "", "info", routes)


def route(
    name: str, backends: tuple[str, ...] = (), mirrors: tuple[str, ...] = ()
) -> RouteDescription:
    return RouteDescription(
        name,
        (),
        "round_robin",
        tuple(BackendDescription(one) for one in backends),
        tuple(MirrorDescription(one, "both", "detach", 1.0) for one in mirrors),
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def table(clock: Clock) -> Iterator[SharedTable]:
    for table in table_of(200):
        table.enter(0)
        yield table


LABELS = ("route", "backend", "mirror", "reason", "state")


class Page:
    """The metrics page, as an admin process renders it all the time."""

    def __init__(self, table: SharedTable) -> None:
        self.reader = StatusReader(as_another_process_has_it(table))

    def samples(self, described: Description) -> dict[tuple[str, str], float]:
        """Return the values by the metric and its labels."""
        described = self.reader.current(described)
        status, gone = self.reader.status(described), self.reader.gone(described)
        page = render(status, gone, "application/openmetrics-text; version=1.0.0").body.decode()
        samples = {}
        for family in text_string_to_metric_families(page):  # type: ignore[no-untyped-call]
            for sample in family.samples:
                of = "/".join(sample.labels[one] for one in LABELS if one in sample.labels)
                samples[sample.name.removeprefix("spliceproxy_"), of] = sample.value
        return samples


def pass_time(table: SharedTable, clock: Clock, seconds: float) -> None:
    """Let time pass, in which a worker that holds the rows of this process lives on."""
    table.touch(0)
    clock.go_on(seconds)
    table.touch(0)
    table.reclaim(kept_s=DAY_S)


def count_all(table: SharedTable, slot: int) -> list[object]:
    """Count something of a route, a backend and a mirror; returns what holds their rows."""
    tally = Tally(table, slot)
    web = RouteTally(tally, "web", 100)
    web.accepted()
    web.refused.add("denied")
    web.backend("b:1").connected(0.001)
    web.backend("b:1").failed.add("backend_refused")
    mirror = MirrorTally(tally, "web", "null:")
    return [web, mirror]


COUNTERS = {
    ("connections_total", "web"): 2.0,
    ("connections_refused_total", "web/denied"): 2.0,
    ("backend_connections_total", "web/b:1"): 2.0,
    ("backend_connect_errors_total", "web/b:1/backend_refused"): 2.0,
    ("mirror_streams_total", "web/null:"): 0.0,
}


def test_what_is_gone_is_told_of_for_a_day(table: SharedTable, clock: Clock) -> None:
    page = Page(table)
    count_all(table, slot=3)  # rows that nobody holds
    held = count_all(table, slot=0)
    before = page.samples(description(route("web", ("b:1",), ("null:",))))
    assert before.items() >= COUNTERS.items()
    assert before["backend_up", "web/b:1"] == 1.0
    renamed = description(route("renamed"))
    for _ in range(3):
        pass_time(table, clock, DAY_S)
        assert page.samples(renamed).items() >= COUNTERS.items(), "old connections go on"
    held.clear()
    pass_time(table, clock, DAY_S - 1)
    told = page.samples(renamed)
    assert told.items() >= COUNTERS.items()
    assert told["backend_connections_active", "web/b:1"] == 2.0
    assert not {name for name, of in told if of.startswith("web") and name.endswith("_up")}
    assert ("connections_limit", "web") not in told
    assert ("mirror_on", "web/null:") not in told
    pass_time(table, clock, 2)
    assert not {of for _, of in page.samples(renamed) if of.partition("/")[0] == "web"}
    assert ("connections_total", "renamed") in page.samples(renamed)


def test_what_is_gone_of_a_route_that_stays(table: SharedTable, clock: Clock) -> None:
    page = Page(table)
    held = count_all(table, slot=0)
    held[1] = None
    web = held[0]
    assert isinstance(web, RouteTally)
    web.forget_all_but(["b:1"])
    smaller = description(route("web", ("b:2",), ()))
    told = page.samples(smaller)
    assert told["backend_connections_total", "web/b:1"] == 1.0
    assert ("backend_up", "web/b:1") not in told
    web.forget_all_but(["b:2"])
    pass_time(table, clock, 2 * DAY_S)
    assert page.samples(smaller)["backend_connections_active", "web/b:1"] == 1.0, "it is open"
    web.backend("b:1").cells[BackendCell.ACTIVE] = 0
    web.forget_all_but(["b:2"])
    pass_time(table, clock, 2 * DAY_S)
    told = page.samples(smaller)
    assert not {of for _, of in told if "b:1" in of or "null:" in of}
    assert (told["connections_total", "web"], told["backend_up", "web/b:2"]) == (1.0, 1.0)


def test_an_attached_mirror_is_forgotten_a_day_after_its_end(
    table: SharedTable, clock: Clock
) -> None:
    page = Page(table)
    attached = MirrorDescription("null:#1", "both", "detach", 1.0, attached=1)
    described = description(replace(route("web"), mirrors=(attached,)))
    held = [MirrorTally(Tally(table, 0), "web", "null:#1")]
    assert ("mirror_streams_total", "web/null:#1") in page.samples(described)
    held.clear()
    pass_time(table, clock, DAY_S - 1)
    assert ("mirror_streams_total", "web/null:#1") in page.samples(described)
    pass_time(table, clock, 2)
    assert not {of for _, of in page.samples(described) if "null:#1" in of}


def test_backends_that_records_list_come_and_go(table: SharedTable, clock: Clock) -> None:
    page = Page(table)
    described = description(replace(route("web"), listed_rules=JUDGED.rules_text))
    long = f"{'x' * 100}.example.test:80"
    health = [
        BackendHealth(JUDGED, BackendState(0, name, weight=3), *claim_rows(JUDGED, name, table))
        for name in (long, "b:1")
    ]
    tally = RouteTally(Tally(table, 0), "web", 100)
    tally.backend("b:1").connected(0.001)
    orders = table.claim(JUDGED.orders_row_name("b:1"))
    orders.cells[BackendOrderCell.ADMIN] = Admin.DRAIN
    del orders
    told = page.samples(described)
    assert told["backend_up", f"web/{long}"] == 1.0
    assert told["backend_weight", "web/b:1"] == 3.0
    assert told["backend_state", "web/b:1/draining"] == 1.0
    assert told["backend_connections_total", "web/b:1"] == 1.0
    tally.backend("b:1").cells[BackendCell.ACTIVE] = 0
    tally.forget_all_but([long])
    del health[1:]
    pass_time(table, clock, 60.0)
    health[0].show()
    told = page.samples(described)
    assert ("backend_up", f"web/{long}") in told
    assert ("backend_up", "web/b:1") not in told
    assert told["backend_connections_total", "web/b:1"] == 1.0
    pass_time(table, clock, DAY_S)
    health[0].show()
    told = page.samples(described)
    assert ("backend_connections_total", "web/b:1") not in told
    assert ("backend_connections_total", f"web/{long}") in told


def test_how_full_the_table_is(table: SharedTable) -> None:
    page = Page(table)
    held = [table.claim_or_private(f"row {number}") for number in range(201)]
    told = page.samples(description())
    assert (told["shared_rows", ""], told["shared_rows_limit", ""]) == (200.0, 200.0)
    assert told["shared_rows_refused_total", ""] == 1.0
    assert len(held) == 201
