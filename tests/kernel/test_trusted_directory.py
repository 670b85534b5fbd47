"""What is written goes where it was told to, or nowhere: each directory on the way counts."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spliceproxy.kernel.trusted_directory import (
    UntrustedDirectoryError,
    open_directory,
    open_parent,
)

SOMEBODY = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "one" / "two"
    path.mkdir(parents=True)
    return path


def opened(path: Path, **how: bool) -> Path:
    """Where the descriptor leads."""
    fd = open_directory(str(path), **how)
    try:
        assert not os.get_inheritable(fd)
        return Path(f"/proc/self/fd/{fd}").readlink()
    finally:
        os.close(fd)


def test_a_path_that_nobody_else_can_redirect(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(directory.parent)
    for path in (directory, Path("two"), Path("two/.."), Path()):
        assert opened(path) == path.resolve()
    assert opened(Path("/")) == Path("/")


def own_link(directory: Path) -> Path:
    link = directory.parent.parent / "link"
    link.symlink_to("./one/../one")
    return link / "two"


def absolute_link(directory: Path) -> Path:
    (directory.parent.parent / "link").symlink_to(directory.parent)
    return directory.parent.parent / "link" / "two"


@pytest.mark.parametrize("way", [own_link, absolute_link])
def test_links_on_the_way_are_followed(directory: Path, way: Callable[[Path], Path]) -> None:
    assert opened(way(directory)) == directory


def test_the_last_component_is_no_link(directory: Path) -> None:
    (directory / "link").symlink_to(directory.parent)
    for trusted in (False, True):
        with pytest.raises(NotADirectoryError):
            open_directory(str(directory / "link"), trusted=trusted)


def test_links_that_go_round(directory: Path) -> None:
    (directory / "a").symlink_to("b")
    (directory / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        open_directory(str(directory / "a" / "c"))


@pytest.mark.parametrize(
    ("mode", "private", "shared"),
    [
        (0o755, True, True),
        (0o775, False, True),
        (0o757, False, False),
        (0o1777, False, True),
        (0o1770, False, True),
    ],
)
def test_who_may_write_into_it(directory: Path, mode: int, private: bool, shared: bool) -> None:
    directory.chmod(mode)
    for is_private, allowed in ((True, private), (False, shared)):
        if allowed:
            assert opened(directory, private=is_private) == directory
        else:
            with pytest.raises(UntrustedDirectoryError, match=f"others may write .* {mode:04o}"):
                open_directory(str(directory), private=is_private)
    assert opened(directory, trusted=True) == directory


@as_root
def test_whose_it_is(directory: Path) -> None:
    os.chown(directory, SOMEBODY, 0)
    with pytest.raises(UntrustedDirectoryError, match=f"{directory} belongs to user {SOMEBODY}"):
        open_directory(str(directory))
    assert opened(directory, trusted=True) == directory


@as_root
def test_each_directory_on_the_way_counts(directory: Path) -> None:
    os.chown(directory.parent, SOMEBODY, 0)
    for call in (open_directory, open_parent):
        with pytest.raises(UntrustedDirectoryError, match=f"{directory.parent} belongs to"):
            call(str(directory))
    os.chown(directory.parent, 0, 0)
    directory.parent.chmod(0o777)
    with pytest.raises(UntrustedDirectoryError, match=f"write into {directory.parent} "):
        open_directory(str(directory))
    directory.parent.chmod(0o1777)
    assert opened(directory) == directory


@as_root
def test_a_link_on_the_way_of_somebody_else(directory: Path) -> None:
    """In /tmp anybody can make one."""
    directory.parent.chmod(0o1777)
    link = directory.parent / "link"
    link.symlink_to(directory)
    os.chown(link, SOMEBODY, 0, follow_symlinks=False)
    with pytest.raises(UntrustedDirectoryError, match=f"link {link} belongs to user {SOMEBODY}"):
        open_directory(str(link / "below"))


def test_what_is_not_there(directory: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_directory(str(directory / "no" / "no"))
    (directory / "file").touch()
    with pytest.raises(NotADirectoryError):
        open_directory(str(directory / "file" / "no"))
