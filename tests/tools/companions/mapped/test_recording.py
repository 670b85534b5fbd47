"""Every way to write leaves the same bytes; msync cleans what it is told, and no more."""

import mmap
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from spliceproxy.kernel import page_syscalls
from spliceproxy.kernel.page_syscalls import MS_ASYNC, MS_SYNC
from tools.companions.mapped import recording
from tools.companions.mapped.made_file import made
from tools.companions.mapped.recording import WAYS, Target
from tools.companions.pagecache import process_maps

PAGE = mmap.PAGESIZE
PAGES = 16


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    with made(tmp_path, PAGES * PAGE) as (_path, fd), recording.mapped(fd) as mapping:
        yield Target(fd, mapping)
    assert not list(tmp_path.iterdir())


def dirty_pages(target: Target) -> int:
    path = str(Path(f"/proc/self/fd/{target.fd}").readlink())
    regions = process_maps.of_process(os.getpid())
    return sum(region.dirty_bytes for region in regions if region.name == path) // PAGE


@pytest.mark.parametrize("name", WAYS)
def test_each_way_leaves_the_records_in_the_file(target: Target, name: str) -> None:
    offsets, data = [0, 5 * PAGE, 15 * PAGE], os.urandom(PAGE)
    recording.record(WAYS[name], target, offsets, data)
    written = b"".join(data if number * PAGE in offsets else bytes(PAGE) for number in range(PAGES))
    assert os.pread(target.fd, PAGES * PAGE, 0) == written == target.mapping[:]


def seen_dirty(target: Target, write: Callable[[], object], wanted: int) -> bool:
    """Whether so many pages are dirty behind a write.

    The kernel may write them at any moment, of its own accord: hardly five times on end.
    """
    for _ in range(5):
        target.settle()
        assert dirty_pages(target) == 0
        write()
        if dirty_pages(target) == wanted:
            return True
    return False


def test_msync_of_a_page_leaves_the_others_dirty(target: Target, disk_path: Path) -> None:
    def write() -> None:
        for number in range(4):
            target.store(number * PAGE, b"x" * PAGE)
        page_syscalls.msync(target.mapping, PAGE, PAGE, MS_SYNC)

    assert seen_dirty(target, write, 3)
    target.sync(MS_SYNC)
    assert dirty_pages(target) == 0


@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if "map" in name])
def test_what_is_said_to_be_on_the_disk_is_clean(
    target: Target, disk_path: Path, name: str
) -> None:
    write = partial(recording.record, WAYS[name], target, [0, PAGE], b"x" * PAGE)
    assert seen_dirty(target, write, 2 if WAYS[name].is_durable == "no" else 0)


def test_asking_is_not_waiting(target: Target, disk_path: Path) -> None:
    def write() -> None:
        target.store(0, b"x")
        target.sync(MS_ASYNC)

    assert seen_dirty(target, write, 1)


def test_a_file_has_its_blocks_before_it_is_mapped(tmp_path: Path) -> None:
    with made(tmp_path, 10 * PAGE) as (path, _fd):
        assert path.stat().st_size == 10 * PAGE
        assert path.stat().st_blocks * 512 >= 10 * PAGE
