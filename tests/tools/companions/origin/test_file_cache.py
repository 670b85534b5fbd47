import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from spliceproxy.errors import StartProblem
from tools.companions.origin.answer import OpenFile
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.preload import preload
from tools.companions.origin.root import Root
from tools.companions.origin.validators import FileVersion
from tools.companions.techniques.sender import FileShrunkError

from .conftest import TEXT
from .serving import ask, serving

Opener = Callable[[str, int], OpenFile]


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[Opener]:
    """Write so many bytes to a file, and open it."""
    with ExitStack() as stack:

        def make(name: str, size_bytes: int) -> OpenFile:
            (tmp_path / name).write_bytes(name[:1].encode() * size_bytes)
            fd = os.open(tmp_path / name, os.O_RDONLY)
            stack.callback(os.close, fd)
            return OpenFile(fd, FileVersion.of(os.fstat(fd)), name)

        yield make


@pytest.fixture
def cache() -> Iterator[FileCache]:
    made = FileCache(100)
    yield made
    made.close()


def use(cache: FileCache, file: OpenFile) -> bytes:
    lent = cache.borrow(file)
    try:
        return bytes(lent.view)
    finally:
        cache.give_back(lent)


def counts(cache: FileCache) -> tuple[int, int, int, int]:
    found = cache.statistics
    return found.hits, found.misses, found.evictions, found.mapped_bytes


def test_a_map_is_used_again(cache: FileCache, open_file: Opener) -> None:
    file = open_file("a", 10)
    assert use(cache, file) == use(cache, file) == b"a" * 10
    assert counts(cache) == (1, 1, 0, 10)


def test_the_map_that_was_not_used_for_longest_goes(cache: FileCache, open_file: Opener) -> None:
    first, second, third = open_file("a", 40), open_file("b", 40), open_file("c", 40)
    for file in (first, second, first, third, first, second):
        use(cache, file)
    # The third drops the second, the second drops the third; the first stays.
    assert counts(cache) == (2, 4, 2, 80)


def test_a_changed_file_is_mapped_anew(cache: FileCache, open_file: Opener, tmp_path: Path) -> None:
    use(cache, open_file("a", 10))
    (tmp_path / "a").write_bytes(b"x" * 11)
    fd = os.open(tmp_path / "a", os.O_RDONLY)
    changed = OpenFile(fd, FileVersion.of(os.fstat(fd)), "a")
    assert use(cache, changed) == b"x" * 11
    os.close(fd)
    assert cache.statistics.stale == 1
    assert counts(cache) == (0, 2, 0, 11)


def test_a_map_that_is_lent_outlives_its_place(cache: FileCache, open_file: Opener) -> None:
    lent = cache.borrow(open_file("a", 60))
    use(cache, open_file("b", 60))
    assert counts(cache) == (0, 2, 1, 60)
    assert bytes(lent.view) == b"a" * 60
    cache.give_back(lent)
    assert lent.memory.closed


def test_a_file_larger_than_the_cache_is_mapped_once(cache: FileCache, open_file: Opener) -> None:
    small, large = open_file("a", 10), open_file("b", 101)
    use(cache, small)
    assert use(cache, large) == b"b" * 101
    assert counts(cache) == (0, 2, 0, 10)


def test_a_file_that_shrank_after_it_was_opened(cache: FileCache, open_file: Opener) -> None:
    file = open_file("a", 10)
    os.truncate(f"/proc/self/fd/{file.fd}", 5)
    with pytest.raises(FileShrunkError):
        cache.borrow(file)


def test_preload_takes_what_fits_and_may_be_served(root: Path) -> None:
    cache, opened = FileCache(len(TEXT) + 8), Root(root)
    try:
        # In order: "empty" has nothing to map, "out" leads out, "text.txt" fits, and one more.
        assert preload(cache, opened, root, Path()) == 2
        assert preload(FileCache(5), opened, root, Path("sub")) == 0
        with pytest.raises(StartProblem):
            preload(cache, opened, root, Path(".."))
    finally:
        opened.close()
        cache.close()


async def test_requests_share_a_map(root: Path) -> None:
    cache = FileCache(1 << 20)
    async with serving(root, method="mmap", cache=cache) as port:
        for _request in range(3):
            assert (await ask(port, "/text.txt")).body == TEXT
        assert (await ask(port, "/text.txt", Range="bytes=5-9")).body == TEXT[5:10]
        assert (cache.statistics.hits, cache.statistics.misses) == (3, 1)
    assert json.dumps(cache.statistics.as_dict())
