"""What an operator wants of a mirror, as numbers that processes share, so that it outlives them.

The admin process writes, and workers read when a connection begins.
"""

from enum import IntEnum
from hashlib import blake2b

ROW_KIND = "mirror_order"
"""What the names of these rows begin with."""

_MAX_NAME_BYTES = 254
_HASH_BYTES = 8
_SAMPLE_PARTS = 10**12
"""A percentage has nine decimals at most."""


class OrderCell(IntEnum):
    """Cells of a mirror's row; 0 in each: as configured."""

    OFF = 0
    SAMPLE = 1  # its parts, and one more


def row_name(route: str, mirror: str) -> str:
    """Name the row of a mirror: the same after a reload that keeps both names."""
    whole = "\t".join((route, mirror)).encode(errors="replace")
    digest = blake2b(whole, digest_size=_HASH_BYTES).hexdigest()
    name = "\t".join((ROW_KIND, digest, route, mirror)).encode(errors="replace")
    return name[:_MAX_NAME_BYTES].decode(errors="ignore")


def is_on(cells: memoryview) -> bool:
    """Whether connections that begin now are mirrored."""
    return not cells[OrderCell.OFF]


def sample_of(cells: memoryview, configured: float) -> float:
    """Return the fraction of connections that are mirrored while it is on."""
    ordered: int = cells[OrderCell.SAMPLE]
    return (ordered - 1) / _SAMPLE_PARTS if ordered else configured


def write_state(cells: memoryview, *, on: bool) -> None:
    """Order it on or off."""
    cells[OrderCell.OFF] = not on


def write_sample(cells: memoryview, sample: float | None) -> None:
    """Order a fraction; None: the configured one."""
    cells[OrderCell.SAMPLE] = 0 if sample is None else round(sample * _SAMPLE_PARTS) + 1
