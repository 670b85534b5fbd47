"""A process's maps are shown, or added up by what is behind them."""

import mmap
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.companions.pagecache import process_maps
from tools.companions.pagecache.errors import PageCacheError
from tools.companions.pagecache.process_maps import ANONYMOUS, Backing

SMAPS = """\
557775e4d000-557775e4f000 r--p 00000000 fe:00 260386                     /usr/bin/a program
Size:                  8 kB
KernelPageSize:        4 kB
Rss:                   8 kB
Shared_Clean:          4 kB
Private_Clean:         4 kB
Swap:                  0 kB
VmFlags: rd mr mw me
557775e4f000-557775e55000 r-xp 00002000 fe:00 260386                     /usr/bin/a program
Size:                 24 kB
Rss:                  20 kB
Shared_Clean:         20 kB
7f0000000000-7f0000100000 rw-p 00000000 00:00 0
Size:               1024 kB
Rss:                 512 kB
Private_Dirty:       512 kB
Swap:                 16 kB
"""


def added_up(lines: list[str]) -> list[Backing]:
    return process_maps.add_up(process_maps.parse(lines))


def test_each_map_is_shown_with_what_is_dirty() -> None:
    regions = process_maps.parse(SMAPS.splitlines())
    assert list(process_maps.region_rows(regions)) == [
        ["557775e4d000-557775e4f000", "r--p", "0", "8", "8", "4", "0", "/usr/bin/a program"],
        ["557775e4f000-557775e55000", "r-xp", "2000", "24", "20", "20", "0", "/usr/bin/a program"],
        ["7f0000000000-7f0000100000", "rw-p", "0", "1,024", "512", "0", "512", ANONYMOUS],
        ["total", "", "", "1,056", "540", "24", "512", ""],
    ]


def test_huge_pages_are_resident() -> None:
    lines = ["0-400000 rw-p 00000000 00:0f 1 /anon_hugepage (deleted)"]
    (region,) = process_maps.parse([*lines, "Rss: 0 kB", "Private_Hugetlb: 2048 kB"])
    assert region.resident_bytes == region.private_bytes == 2 << 20


def test_maps_of_one_file_are_added_up() -> None:
    kib = 1024
    assert added_up(SMAPS.splitlines()) == [
        Backing(ANONYMOUS, 1, 1024 * kib, 512 * kib, 0, 512 * kib, 16 * kib),
        Backing("/usr/bin/a program", 2, 32 * kib, 28 * kib, 24 * kib, 4 * kib, 0),
    ]


def test_what_is_not_shown_is_in_the_total() -> None:
    rows = list(process_maps.rows(added_up(SMAPS.splitlines()), most=1))
    assert rows == [
        [ANONYMOUS, "1", "1,024", "512", "0", "512", "16"],
        ["1 more", "2", "32", "28", "24", "4", "0"],
        ["total", "3", "1,056", "540", "24", "516", "16"],
    ]


def test_a_name_cannot_change_the_terminal() -> None:
    line = "0-1 r--p 0 fe:00 1 /tmp/\x1b[31mred"
    assert next(process_maps.rows(added_up([line]), 1))[0] == "/tmp/?[31mred"
    assert next(process_maps.region_rows(process_maps.parse([line])))[-1] == "/tmp/?[31mred"


@given(st.lists(st.text()))
def test_any_lines_are_taken(lines: list[str]) -> None:
    added_up(lines)


@pytest.mark.parametrize(
    ("sharing", "permissions", "is_written"),
    [
        (mmap.MAP_SHARED, "rw-s", True),
        (mmap.MAP_PRIVATE, "rw-p", True),
        (mmap.MAP_PRIVATE, "rw-p", False),
    ],
)
def test_a_map_of_this_process_is_found(
    tmp_path: Path, sharing: int, permissions: str, *, is_written: bool
) -> None:
    page = mmap.PAGESIZE
    path = tmp_path / "mapped"
    path.write_bytes(bytes(4 * page))
    with path.open("r+b") as file:
        os.fsync(file.fileno())
        with mmap.mmap(file.fileno(), 3 * page, sharing, offset=page) as mapping:
            assert mapping[0] == 0
            if is_written:
                mapping[0] = 1
            (region,) = (
                region
                for region in process_maps.of_process(os.getpid())
                if region.name == str(path)
            )
    assert (region.permissions, region.offset_bytes) == (permissions, page)
    assert region.size_bytes == 3 * page
    assert region.resident_bytes >= page
    assert (region.dirty_bytes >= page) == is_written


def test_a_process_that_is_not_there_is_one_line() -> None:
    with pytest.raises(PageCacheError, match="maps of process 4194305: No such file"):
        process_maps.of_process((1 << 22) + 1)  # above PID_MAX_LIMIT
