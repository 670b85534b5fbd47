"""What an operator wants of a mirror, as numbers that processes share, so that it outlives them.

The admin process writes, and workers read when a connection begins.
"""

from collections.abc import Sequence
from enum import IntEnum

from spliceproxy.ipc.rows import CommonKind, row_name

_SAMPLE_PARTS = 10**12
"""A percentage has nine decimals at most."""


class MirrorOrderCell(IntEnum):
    """Cells of a mirror's row; 0 in each: as configured."""

    OFF = 0
    SAMPLE = 1  # its parts, and one more


def mirror_orders_row_name(route: str, mirror: str) -> str:
    """Name the row of a mirror: the same after a reload that keeps both names."""
    return row_name(CommonKind.MIRROR_ORDERS, route, mirror)


def is_on(cells: Sequence[int]) -> bool:
    """Whether connections that begin now are mirrored."""
    return not cells[MirrorOrderCell.OFF]


def sample_of(cells: Sequence[int], configured: float) -> float:
    """Return the fraction of connections that are mirrored while it is on."""
    ordered: int = cells[MirrorOrderCell.SAMPLE]
    return (ordered - 1) / _SAMPLE_PARTS if ordered else configured


def write_state(cells: memoryview, *, on: bool) -> None:
    """Order it on or off."""
    cells[MirrorOrderCell.OFF] = not on


def write_sample(cells: memoryview, sample: float | None) -> None:
    """Order a fraction; None: the configured one."""
    cells[MirrorOrderCell.SAMPLE] = 0 if sample is None else round(sample * _SAMPLE_PARTS) + 1
