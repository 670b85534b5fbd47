import errno
import os
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from spliceproxy.errors import StartProblem
from tools.companions.origin.refusals import Refusal
from tools.companions.origin.root import Root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "file").write_text("file")
    (root / "sub" / "inner").write_text("inner")
    (root / "sub" / "up").symlink_to("../file")
    (root / "out").symlink_to("../secret")
    (root / "absolute").symlink_to(tmp_path / "secret")
    (root / "away").symlink_to("..")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nowhere")
    return root


@pytest.fixture
def root(tree: Path) -> Iterator[Root]:
    opened = Root(tree)
    yield opened
    opened.close()


def content(root: Root, path: bytes) -> bytes:
    fd = root.open(path)
    try:
        return os.read(fd, 100)
    finally:
        os.close(fd)


def refused(root: Root, path: bytes) -> HTTPStatus:
    with pytest.raises(Refusal) as caught:
        root.open(path)
    return caught.value.status


def test_files_below_the_root(root: Root) -> None:
    assert content(root, b"file") == b"file"
    assert content(root, b"sub/inner") == b"inner"


def test_a_link_that_stays_below_the_root(root: Root) -> None:
    assert content(root, b"sub/up") == b"file"


@pytest.mark.parametrize(
    "path",
    [
        b"out",
        b"absolute",
        b"away/secret",
        b"../secret",
        b"sub/../../secret",
        b"/etc/passwd",
        b"loop",
    ],
)
def test_every_way_out_is_forbidden(root: Root, path: bytes) -> None:
    assert refused(root, path) == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("path", [b"nothing", b"file/inner", b"dangling", b"a" * 300])
def test_what_is_not_there(root: Root, path: bytes) -> None:
    assert refused(root, path) == HTTPStatus.NOT_FOUND


def test_a_root_that_was_moved_is_still_the_root(root: Root, tree: Path) -> None:
    tree.rename(tree.with_name("moved"))
    assert content(root, b"file") == b"file"


def test_links_are_followed_when_they_are_trusted(tree: Path) -> None:
    root = Root(tree, follows_links=True)
    try:
        assert content(root, b"out") == b"secret"
        assert refused(root, b"loop") == HTTPStatus.FORBIDDEN
    finally:
        root.close()


def test_a_fifo_is_opened_without_a_wait(root: Root, tree: Path) -> None:
    os.mkfifo(tree / "fifo")
    os.close(root.open(b"fifo"))


def test_a_root_that_is_no_directory(tree: Path) -> None:
    with pytest.raises(StartProblem, match="name a directory"):
        Root(tree / "file")


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.EACCES, HTTPStatus.FORBIDDEN),
        (errno.EMFILE, HTTPStatus.SERVICE_UNAVAILABLE),
        (errno.ENXIO, HTTPStatus.FORBIDDEN),
    ],
)
def test_an_errno_is_a_status(
    root: Root, number: int, status: HTTPStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_directory_fd: int, _path: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(root, "_open", fail)
    assert refused(root, b"file") == status
