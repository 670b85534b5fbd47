"""Passes over a file are told with the faults that they took."""

import mmap
import os
from pathlib import Path

import pytest

from tools.companions.pagecache import reading
from tools.companions.pagecache.cached_file import opened

PAGES = 512


@pytest.fixture
def path(disk_path: Path) -> Path:
    file = disk_path / "file"
    file.write_bytes(os.urandom(PAGES * mmap.PAGESIZE))
    return file


@pytest.mark.parametrize("way", reading.WAYS)
@pytest.mark.parametrize("is_cold", [True, False])
def test_each_way_reads_the_whole_file(path: Path, way: str, is_cold: bool) -> None:
    with opened(path) as file:
        try:
            found = reading.measure(file, way, is_cold=is_cold)
        except OSError as error:
            pytest.skip(f"{way}: {error.strerror}")
        assert (found.way, found.is_cold) == (way, is_cold)
        assert file.residency().resident_pages == PAGES


def test_a_map_of_random_access_finds_its_pages_on_the_disk_one_by_one(path: Path) -> None:
    with opened(path) as file:
        file.drop()
        assert reading.measure(file, "map, MADV_RANDOM", is_cold=True).major_faults >= PAGES
        assert reading.measure(file, "map, MADV_RANDOM", is_cold=False).major_faults == 0


def test_a_lazy_map_of_warm_pages_takes_minor_faults(path: Path) -> None:
    with opened(path) as file:
        found = reading.measure(file, "map, lazy", is_cold=False)
    assert found.major_faults == 0
    assert found.minor_faults > 0
