"""The memory of workers' numbers of clients."""

import errno
import mmap
from typing import Any

import pytest

from spliceproxy.ipc.client_areas import BUCKETS, CONNECTIONS, ClientAreas


def test_parts_of_areas_do_not_meet() -> None:
    areas = ClientAreas()
    parts = [areas.part(slot, part) for slot in (0, 1) for part in (CONNECTIONS, BUCKETS)]
    for number, part in enumerate(parts, 1):
        part[0] = part[-1] = number
    assert [(part[0], part[-1]) for part in parts] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    areas.clear(0)
    assert [part[0] for part in parts] == [0, 2, 3, 4]


def test_where_addresses_are_few_the_last_workers_are_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Map(mmap.mmap):
        def __new__(cls, fd: int, size: int, flags: int) -> Any:
            if size > 10 << 20:
                raise OSError(12, "Cannot allocate memory")
            return super().__new__(cls, fd, size, flags)

    monkeypatch.setattr(mmap, "mmap", Map)
    areas = ClientAreas()
    near, far = areas.part(7, CONNECTIONS), areas.part(8, CONNECTIONS)
    near[0] = far[0] = 1
    assert (areas.part(7, CONNECTIONS)[0], areas.part(8, CONNECTIONS)[0]) == (1, 0)
    areas.clear(8)


def test_what_a_dead_worker_had_goes_where_its_memory_cannot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with MADV_REMOVE on locked memory, says madvise(2)."""

    class Map(mmap.mmap):
        def madvise(self, option: int, start: int = 0, length: int = 0) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(mmap, "mmap", Map)
    areas = ClientAreas()
    parts = [areas.part(slot, part) for slot in (0, 1) for part in (CONNECTIONS, BUCKETS)]
    for part in parts:
        part[0] = part[-1] = 1
    areas.clear(0)
    assert [(part[0], part[-1]) for part in parts] == [(0, 0), (1, 1), (1, 1), (1, 1)]
