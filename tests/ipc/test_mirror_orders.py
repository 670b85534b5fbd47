"""Orders for mirrors, as numbers in a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.ipc.mirror_orders import (
    is_on,
    mirror_orders_row_name,
    sample_of,
    write_sample,
    write_state,
)
from spliceproxy.ipc.shared_table import private_row
from spliceproxy.settings.units import parse_percent


def test_without_an_order_it_is_as_configured() -> None:
    cells = private_row("x").cells
    assert is_on(cells)
    assert sample_of(cells, 0.25) == 0.25


def test_off_and_on() -> None:
    cells = private_row("x").cells
    write_state(cells, on=False)
    assert not is_on(cells)
    write_state(cells, on=True)
    assert is_on(cells)


@given(st.integers(0, 10**11))
def test_each_percentage_comes_back(parts: int) -> None:
    sample = parse_percent(f"{parts / 10**9:.9f}%")
    cells = private_row("x").cells
    write_sample(cells, sample)
    assert sample_of(cells, 0.5) == pytest.approx(sample, abs=1e-12)
    write_sample(cells, None)
    assert sample_of(cells, 0.5) == 0.5


def test_long_names_have_rows_of_their_own() -> None:
    long = "exec:" + "x" * 500
    names = {
        mirror_orders_row_name("main", long),
        mirror_orders_row_name("main", long + "y"),
        mirror_orders_row_name("other", long),
    }
    assert len(names) == 3
    assert all(len(name.encode()) <= 254 for name in names)
