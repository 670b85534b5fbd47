"""A process notices that files have changed, when they have settled."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from spliceproxy.kernel.file_state import signature_of
from spliceproxy.master.file_watch import FileWatch
from spliceproxy.master.polling import is_readable
from tests.e2e.peers import TIMEOUT_S


@pytest.fixture
def watch() -> Iterator[FileWatch]:
    watch = FileWatch(lambda: None, interval_s=0.02)
    yield watch
    watch.stop()


def start(watch: FileWatch, *paths: Path) -> None:
    watch.watch({str(path): signature_of(str(path)) for path in paths})


def has_seen(watch: FileWatch) -> bool:
    (descriptor,) = watch.descriptors()
    assert is_readable(descriptor, TIMEOUT_S)
    return watch.tend()


def replace_file(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_text(path.read_text())
    new.rename(path)


def write_into(path: Path) -> None:
    path.write_text("b")


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [replace_file, write_into, remove])
def test_a_change_is_seen(watch: FileWatch, tmp_path: Path, change: object) -> None:
    path = tmp_path / "a"
    path.write_text("a")
    start(watch, path, tmp_path / "another")
    assert not watch.tend()
    assert callable(change)
    change(path)
    assert has_seen(watch)
    assert not watch.tend()


def test_a_link_that_leads_elsewhere_is_a_change(watch: FileWatch, tmp_path: Path) -> None:
    one, two, link = (tmp_path / name for name in ("1", "2", "link"))
    one.write_text("1")
    two.write_text("2")
    link.symlink_to(one)
    start(watch, link)
    other = tmp_path / "other"
    other.symlink_to(two)
    other.rename(link)
    assert has_seen(watch)


def test_each_change_is_seen_also_before_the_watch(watch: FileWatch, tmp_path: Path) -> None:
    path = tmp_path / "a"
    known = {str(path): signature_of(str(path))}
    path.write_text("a")
    watch.watch(known)
    for text in ("b", "c"):
        assert has_seen(watch)
        path.write_text(text)
    assert has_seen(watch)


def test_nothing_to_watch_takes_no_process(watch: FileWatch) -> None:
    watch.watch({})
    assert watch.descriptors() == []
    assert watch.next_deadline_s is None


def test_a_lost_process_is_told_of_and_replaced(
    watch: FileWatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spliceproxy.master.file_watch._AGAIN_S", 0.0)
    path = tmp_path / "a"
    start(watch, path)
    child = watch._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    with capture_logs() as log:
        assert not has_seen(watch)
    assert [line["event"] for line in log] == ["file_watch_lost"]
    path.write_text("a")
    assert not watch.tend()
    assert has_seen(watch)
