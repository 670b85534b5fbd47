"""Health as numbers: what one process writes is what another one knows."""

import pytest

from spliceproxy.ipc.health_cells import (
    Admin,
    BackendOrderCell,
    adopt,
    condition,
    health_row_name,
    restore,
    write_checked,
    write_ejection,
)
from spliceproxy.policy.backoff import Backoff
from spliceproxy.policy.health.checks import CheckRules
from spliceproxy.policy.health.ejection import EjectionRules
from spliceproxy.policy.health.health import Condition, Health, HealthRules

RULES = HealthRules(
    CheckRules(interval_s=2.0, rise=2, fall=3, jitter=0.0),
    EjectionRules(Backoff(5.0, 60.0), after=1, jitter=0.0),
)


NO_ORDERS = memoryview(bytes(8 * 32)).cast("q")


@pytest.fixture
def cells() -> memoryview:
    return memoryview(bytearray(8 * 32)).cast("q")


def test_empty_cells_are_a_new_backend(cells: memoryview) -> None:
    assert restore(cells, "", 7.0) == Health.at_start(7.0)
    assert condition(cells, NO_ORDERS, 7.0) == "up"


def test_checks_go_on_where_another_process_stopped(cells: memoryview) -> None:
    health = Health.at_start(10.0)
    for error in ("", "refused", "refused"):
        health.on_check(RULES, 10.0, 0.5, error)
        write_checked(cells, health.checked)
    restored = restore(cells, "refused", 11.0)
    assert restored.checked == health.checked
    assert restored.check_due_s(RULES) == 12.0
    restored.on_check(RULES, 12.0, 0.5, "refused")
    assert restored.verdict(RULES, 12.0).condition is Condition.DOWN
    write_checked(cells, restored.checked)
    assert condition(cells, NO_ORDERS, 12.0) == "down"
    assert "refused" in restore(cells, "refused", 13.0).verdict(RULES, 13.0).reason


def test_an_ejection_is_everybodys(cells: memoryview) -> None:
    one, other = Health.at_start(0.0), Health.at_start(0.0)
    one.on_connect(RULES, 100.1234567, 0.5, "refused")
    write_ejection(cells, one.ejection)
    adopt(other, cells)
    for health in (one, other):
        assert health.verdict(RULES, 105.0).condition is Condition.EJECTED
        assert health.verdict(RULES, 105.2).condition is Condition.UP
    assert [condition(cells, NO_ORDERS, now_s) for now_s in (105.0, 105.2)] == ["ejected", "up"]
    # On probation: one more failure, and for longer, whoever meets it.
    other.on_connect(RULES, 106.0, 0.5, "refused")
    assert other.verdict(RULES, 115.9).condition is Condition.EJECTED
    write_ejection(cells, other.ejection)
    adopt(one, cells)
    assert one.ejection.ejections == 2
    assert one.ejection.until_s == other.ejection.until_s


def test_what_has_been_adopted_already_is_not_adopted_again(cells: memoryview) -> None:
    health = Health.at_start(0.0)
    health.on_connect(RULES, 1.0, 0.5, "refused")
    write_ejection(cells, health.ejection)
    health.on_connect(RULES, 10.0, 0.5)
    adopt(health, cells)
    assert not health.ejection.on_probation


@pytest.mark.parametrize(
    ("admin", "text"), [(Admin.DRAIN, "draining"), (Admin.DISABLED, "disabled")]
)
def test_the_operator_goes_first(cells: memoryview, admin: Admin, text: str) -> None:
    orders = memoryview(bytearray(NO_ORDERS)).cast("q")
    orders[BackendOrderCell.ADMIN] = admin
    assert condition(cells, orders, 1.0) == text


def test_names_of_rows() -> None:
    names = {
        health_row_name(*parts)
        for parts in [
            ("a", "b:1", ""),
            ("a", "b:1", "x"),
            ("a", "b:2", ""),
            ("c", "b:1", ""),
            ("a", "b" * 300, ""),
            ("a", "b" * 301, ""),
        ]
    }
    assert len(names) == 6
    assert all(len(name.encode()) <= 254 for name in names)
