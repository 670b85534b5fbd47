"""The file limit is shared among routes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.limits import file_limit
from spliceproxy.proxy import capacity
from spliceproxy.proxy.capacity import (
    check_limit,
    file_limit_wanted,
    fit,
    max_sessions,
    mirror_budget_bytes,
    proxy_limits,
    share,
)
from spliceproxy.proxy.reserve import count_listeners, least_file_limit
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.settings.sni import SniSettings
from spliceproxy.sinks.spool import MOST_SPOOL_FILES


def route(max_connections: int | None, *mirrors: str) -> RouteSettings:
    return RouteSettings(
        listen=(ListenSettings(address=TcpAddress(None, 80)),),
        backends=(BackendSettings(address=TcpAddress("b", 80)),),
        max_connections=max_connections,
        mirrors=tuple(map(parse_mirror, mirrors)),
    )


@pytest.mark.parametrize(
    ("routes", "descriptors", "expected"),
    [
        ([route(None)], 1000, (500,)),
        ([route(None)], 0, (1,)),
        ([route(100)], 1000, (100,)),
        ([route(1000)], 1000, (500,)),
        ([route(None), route(None)], 1000, (250, 250)),
        ([route(100), route(None), route(None)], 1000, (100, 200, 200)),
        ([route(None, "tcp://h:1")], 900, (300,)),
        ([route(None, "file:/a")], 1000, (250,)),
        ([route(None, "tcp://h:1?overflow=spill")], 30 * (3 + MOST_SPOOL_FILES), (30,)),
        ([route(300), route(900)], 1200, (150, 450)),
        ([route(500), route(None)], 1000, (500, 1)),
    ],
)
def test_shares(routes: list[RouteSettings], descriptors: int, expected: tuple[int, ...]) -> None:
    assert share(routes, descriptors) == expected


@given(
    st.lists(st.none() | st.integers(1, 10_000), min_size=1, max_size=8),
    st.integers(0, 100_000),
)
def test_all_shares_fit(limits: list[int | None], descriptors: int) -> None:
    routes = [route(limit) for limit in limits]
    fit = share(routes, descriptors)
    assert min(fit) >= 1
    assert 2 * sum(fit) <= descriptors + 2 * len(routes)
    assert all(limit is None or got <= limit for limit, got in zip(limits, fit, strict=True))


def leading(name: str, *targets: str, mirrors: tuple[str, ...] = ()) -> RouteSettings:
    """A route that accepts, and leads to others."""
    entries = tuple(SniSettings(names=(f"{each}.example",), route=each) for each in targets)
    return route(None, *mirrors).model_copy(update={"name": name, "sni": entries})


def led_to(name: str, *mirrors: str) -> RouteSettings:
    """A route that accepts nothing itself."""
    return route(None, *mirrors).model_copy(update={"name": name, "listen": ()})


def test_routes_that_accept_nothing_have_the_places_of_those_that_lead_to_them() -> None:
    routes = [leading("a", "c"), leading("b", "c", "d"), led_to("c"), led_to("d")]
    fit = share(routes, 1000)
    assert fit == (250, 250, 0, 0)
    assert max_sessions(routes, fit) == [250, 250, 500, 250]


def test_a_connection_needs_what_the_costliest_route_that_it_may_take_needs() -> None:
    routes = [leading("a", "b", "c"), led_to("b", "tcp://h:1"), led_to("c")]
    assert share(routes, 900) == (300, 0, 0)


def test_a_route_that_leads_to_another_with_a_listener() -> None:
    other = route(None).model_copy(update={"name": "b"})
    routes = [leading("a", "b"), other]
    fit = share(routes, 1000)
    assert (fit, max_sessions(routes, fit)) == ((250, 250), [250, 500])


@pytest.mark.parametrize(
    ("memory_bytes", "workers", "expected"),
    [(1 << 30, 1, 128 << 20), (1 << 30, 4, 32 << 20), (64 << 30, 2, 1 << 30)],
)
def test_mirrors_have_an_eighth_of_the_memory_and_a_gigabyte_at_most(
    memory_bytes: int, workers: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "usable_memory_bytes", lambda: memory_bytes)
    settings = Settings(workers=workers, routes=(route(None),))
    assert mirror_budget_bytes(settings) == expected
    assert mirror_budget_bytes(settings.model_copy(update={"mirror_budget_bytes": 1})) == 1


@pytest.mark.parametrize(
    ("listeners", "mirrors", "expected"),
    [
        (16, (), 416),
        (300, (), (1024 - 64 - 128 - 284) // 2),
        (800, (), 24),
        (900, (), 1),
        (1000, (), 0),
        (1, ("file:/a", "null:"), (1024 - 64 - 128 - 64 - 7 - 2) // 4),
    ],
)
def test_listeners_and_mirrors_take_what_connections_do_not_get(
    listeners: int, mirrors: tuple[str, ...], expected: int
) -> None:
    settings = Settings(workers=1, routes=(route(None, *mirrors),))
    assert fit(settings, listeners, 1024) == (expected,)


@given(
    st.lists(st.none() | st.integers(1, 10_000), min_size=1, max_size=80),
    st.integers(0, 5000),
    st.integers(30, 5000),
)
def test_what_is_promised_can_be_had(wishes: list[int | None], listeners: int, nofile: int) -> None:
    settings = Settings(workers=1, routes=tuple(map(route, wishes)))
    promised = sum(fit(settings, listeners, nofile))
    if promised:
        assert least_file_limit(settings, listeners, 2 * promised) <= nofile
    wanted = file_limit_wanted(settings, listeners)
    most = fit(settings, listeners, wanted)
    assert all(got >= (wish or 1) for got, wish in zip(most, wishes, strict=True))


def test_listeners_that_leave_no_connection_are_refused() -> None:
    settings = Settings(workers=1, routes=(route(None),))
    check_limit(settings, 1)
    with pytest.raises(StartProblem, match=r"leaves no connections .*; raise it to \d+ or more"):
        check_limit(settings, file_limit() - 20)


def test_a_name_may_be_two_listeners() -> None:
    listen = tuple(ListenSettings(address=TcpAddress(host, 0)) for host in (None, "::1", "name"))
    assert count_listeners([route(None).model_copy(update={"listen": listen})]) == 4


def test_what_all_workers_together_may_have_where_settings_say_so() -> None:
    front = leading("front", "back").model_copy(update={"max_connections": 30})
    back = route(20).model_copy(update={"name": "back"})
    other, quiet = route(None), led_to("quiet")
    assert proxy_limits([front, back, other, quiet]) == [30, 50, None, 0]
    assert proxy_limits([leading("front", "back"), back]) == [None, None]
