"""What is resident is told as it is, and changes on demand."""

import mmap
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.companions.pagecache.cached_file import Residency, opened
from tools.companions.pagecache.errors import PageCacheError

PAGES = 40


@pytest.fixture
def path(disk_path: Path) -> Path:
    file = disk_path / "file"
    file.write_bytes(os.urandom(PAGES * mmap.PAGESIZE - 1))
    return file


def test_dropped_pages_are_gone_and_warmed_ones_are_there(path: Path) -> None:
    with opened(path) as file:
        file.drop()
        assert file.residency().pages == bytes(PAGES)
        file.warm()
        assert file.residency().pages == bytes([1]) * PAGES


def test_asking_brings_no_page_in(path: Path) -> None:
    with opened(path) as file:
        file.drop()
        assert file.residency() == file.residency() == Residency(bytes(PAGES))


def test_dirty_pages_are_written_before_they_are_dropped(path: Path) -> None:
    content = os.urandom(PAGES * mmap.PAGESIZE)
    path.write_bytes(content)
    with opened(path) as file:
        file.drop()
    assert path.read_bytes() == content


def test_the_share_is_told_in_words() -> None:
    residency = Residency(bytes([1, 0, 1, 1]))
    assert residency.describe() == "3 of 4 pages resident (75.0%, 0.0 MiB)"


@pytest.mark.parametrize(
    ("pages", "picture"),
    [
        (bytes([0, 1]), " █"),
        (bytes(100) + bytes([1] * 100), " █"),
        (bytes(99) + bytes([1] + [1] * 99 + [0]), "░▓"),
        (bytes([1]), "█"),
    ],
)
def test_the_picture_runs_from_beginning_to_end(pages: bytes, picture: str) -> None:
    assert Residency(pages).picture(2) == picture


@given(pages=st.lists(st.sampled_from([0, 1]), min_size=1, max_size=300).map(bytes))
def test_a_blank_is_nothing_and_a_full_block_everything(pages: bytes) -> None:
    picture = Residency(pages).picture(10)
    assert len(picture) == min(10, len(pages))
    assert (set(picture) == {" "}) == (1 not in pages)
    assert (set(picture) == {"█"}) == (0 not in pages)


@pytest.mark.parametrize(("name", "words"), [("missing", "No such file"), ("", "no regular file")])
def test_what_has_no_pages_is_refused(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(PageCacheError, match=words), opened(tmp_path / name):
        pass


def test_an_empty_file_and_a_pipe_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(PageCacheError, match="is empty"), opened(tmp_path / "empty"):
        pass
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PageCacheError, match="no regular file"), opened(tmp_path / "pipe"):
        pass
