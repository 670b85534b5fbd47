"""The memory of a ring cannot be cut, and polling is refused where it is not safe."""

import os

import pytest

from tools.companions.ring import memory
from tools.companions.ring.counters import require_ordered_stores
from tools.companions.ring.errors import RingError


def test_the_size_is_sealed() -> None:
    fd = memory.create(10)
    try:
        for size_bytes in (0, 1 << 20):
            with pytest.raises(PermissionError):
                os.ftruncate(fd, size_bytes)
        assert len(memory.attach(fd)) == memory.COUNTERS_BYTES + 10
    finally:
        os.close(fd)


def test_memory_that_its_maker_could_cut_is_refused() -> None:
    fd = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, memory.COUNTERS_BYTES + 10)
        with pytest.raises(RingError, match="not sealed"):
            memory.attach(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("capacity_bytes", [-1, 0, memory.LARGEST_CAPACITY_BYTES + 1])
def test_a_capacity_has_bounds(capacity_bytes: int) -> None:
    with pytest.raises(RingError, match="use 1 to"):
        memory.create(capacity_bytes)


def test_polling_is_for_machines_that_keep_the_order_of_stores() -> None:
    require_ordered_stores("x86_64")
    with pytest.raises(RingError, match="aarch64; use --wake eventfd"):
        require_ordered_stores("aarch64")
