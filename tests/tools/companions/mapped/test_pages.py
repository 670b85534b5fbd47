"""Large pages where they are asked for, and what is left of memory that is dropped."""

from pathlib import Path

import pytest

from tools.companions.mapped import pages
from tools.companions.mapped.pages import HUGE_PAGE_BYTES

SIZE_BYTES = 8 * HUGE_PAGE_BYTES
ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def test_small_pages_take_a_fault_each() -> None:
    filled = pages.fill("MADV_NOHUGEPAGE", SIZE_BYTES)
    assert filled.huge_bytes == 0
    assert filled.cost.minor_faults >= SIZE_BYTES // 4096


def test_large_pages_take_few() -> None:
    if not ENABLED.exists() or "[never]" in ENABLED.read_text():
        pytest.skip("this kernel gives no large pages")
    filled = pages.fill("MADV_HUGEPAGE", SIZE_BYTES)
    assert filled.huge_bytes > 0
    assert filled.cost.minor_faults < SIZE_BYTES // 4096


def test_reserved_pages_are_there_or_refused() -> None:
    free = Path("/proc/sys/vm/nr_hugepages").read_text().strip()
    if free == "0":
        with pytest.raises(OSError, match="Cannot allocate memory"):
            pages.fill("MAP_HUGETLB", SIZE_BYTES)
    else:
        assert pages.fill("MAP_HUGETLB", HUGE_PAGE_BYTES).huge_bytes == HUGE_PAGE_BYTES


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("anonymous", "zeros"),
        ("private map of a file", "the file's"),
        ("shared map of a file", "what was written"),
    ],
)
def test_dropped_memory_is_gone_from_the_process(kind: str, content: str) -> None:
    dropped = pages.drop(kind)
    assert dropped.resident_bytes == 0
    assert dropped.content == content
