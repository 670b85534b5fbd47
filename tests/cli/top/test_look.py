import pytest

from spliceproxy.cli.top.look import Look, Rates, look
from spliceproxy.cli.top.views import VIEWS, arrange, select
from tests.admin.busy import MIB, BusyClient, busy, busy_connections

ROUTES, BACKENDS, MIRRORS, CONNECTIONS = VIEWS


def seen(step: int, taken_s: float) -> Look:
    return Look(taken_s, busy(step).as_json(), busy_connections(step), [])


def test_a_rate_is_the_growth_in_a_second() -> None:
    rates = Rates(seen(6, 12.0), seen(2, 10.0))
    assert rates.of("route", "web", "accepted") == 2 * 37
    assert rates.of("backend", "web", "10.0.1.11:8443", "request_bytes") == 2 * 3 * MIB
    assert rates.of("mirror", "web", "audit", "delivered_bytes") == 2 * 3 * MIB
    assert rates.of("connection", "1-4712", "request_bytes") == 2000
    assert rates.total("route", "accepted") == 2 * 38


def test_what_was_not_there_before_has_no_rate() -> None:
    before = seen(2, 10.0)
    before.status["routes"].pop(0)
    rates = Rates(seen(3, 11.0), before)
    assert rates.of("route", "web", "accepted") is None
    assert rates.of("route", "postgres", "accepted") == 1
    assert rates.total("route", "accepted") == 1
    assert Rates(seen(3, 11.0), None).of("route", "web", "accepted") is None


def test_a_proxy_that_was_started_anew_counts_from_nothing() -> None:
    rates = Rates(seen(0, 12.0), seen(100, 10.0))
    assert rates.of("route", "postgres", "accepted") == 912 / 2


def test_every_table_has_a_cell_for_each_column() -> None:
    now = look(BusyClient())
    for view in VIEWS:
        rows = list(view.rows(now, Rates(now, None)))
        assert rows
        assert all(len(row) == len(view.columns) for row in rows)


def test_a_row_that_has_the_text_is_selected() -> None:
    now = seen(1, 1.0)
    rows = select(BACKENDS.rows(now, Rates(now, None)), "REFUSED")
    assert [row[1].text for row in rows] == ["10.0.1.13:8443"]


@pytest.mark.parametrize(
    ("falling", "first"), [(True, "10.0.1.11:8443"), (False, "10.0.1.13:8443")]
)
def test_rows_are_sorted_by_value_and_not_by_text(falling: bool, first: str) -> None:
    now = seen(1, 1.0)
    rows = arrange(
        list(BACKENDS.rows(now, Rates(now, None))), BACKENDS.columns.index("open"), falling=falling
    )
    actives = [int(row[4].text) for row in rows]
    assert actives == sorted(actives, reverse=falling)
    assert rows[0][1].text == first


def test_what_is_unknown_comes_last_both_ways() -> None:
    before = seen(1, 1.0)
    before.connections.pop(0)
    now = seen(2, 2.0)
    rows = list(CONNECTIONS.rows(now, Rates(now, before)))
    column = CONNECTIONS.columns.index("response")
    for falling in (True, False):
        assert arrange(rows, column, falling=falling)[-1][column].text == "-"
