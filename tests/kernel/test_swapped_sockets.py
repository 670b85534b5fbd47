"""Whoever owns a socket's directory swaps the socket; no other file's rights may change."""

import contextlib
import errno
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spliceproxy.kernel.listening import (
    Permissions,
    change_permissions,
    listen_unix,
    remove_socket,
)
from tests.descriptors import open_descriptors

EVERYBODY = Permissions(0o666, uid=os.getuid(), gid=os.getgid())
MOST_TRIES, ENOUGH_SWAPS = 2000, 10

Swap = Callable[[Path], None]


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "secret"
    path.write_text("precious")
    path.chmod(0o600)
    yield path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "precious"


@pytest.fixture
def inner(tmp_path: Path) -> Iterator[Path]:
    """A socket that others must not connect to, and somebody listens on."""
    path = tmp_path / "inner"
    sock, _ = listen_unix(str(path), 16)
    with sock:
        yield path


def put_in_place(new: Path, path: Path) -> None:
    """Put another name of a file at a path, or a link to it."""
    spare = path.with_name("spare")
    if new.is_socket():
        os.link(new, spare)
    else:
        spare.symlink_to(new)
    spare.rename(path)


@contextlib.contextmanager
def swapped_after_bind(monkeypatch: pytest.MonkeyPatch, swap: Swap) -> Iterator[None]:
    class SwappedSocket(socket.socket):
        def bind(self, address: object) -> None:
            super().bind(address)  # type: ignore[arg-type]
            swap(Path(str(address)))

    with monkeypatch.context() as patch:
        patch.setattr("spliceproxy.kernel.listening.socket.socket", SwappedSocket)
        yield


@pytest.mark.parametrize("kind", ["secret", "inner"])
def test_what_takes_the_place_of_a_new_socket_keeps_its_rights(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, path = request.getfixturevalue(kind), tmp_path / "front"
    before = open_descriptors()
    with (
        swapped_after_bind(monkeypatch, lambda path: put_in_place(other, path)),
        pytest.raises(OSError, match="Stale") as caught,
    ):
        listen_unix(str(path), 16, EVERYBODY)
    assert caught.value.errno == errno.ESTALE
    assert stat.S_IMODE(other.stat().st_mode) == 0o600
    assert path.exists()  # it is not ours to remove
    assert open_descriptors() == before


@pytest.mark.parametrize("kind", ["secret", "inner"])
def test_what_takes_the_place_of_an_open_socket_keeps_its_rights(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    other, path = request.getfixturevalue(kind), tmp_path / "front"
    sock, file = listen_unix(str(path), 16)
    with sock:
        change_permissions(str(path), file, Permissions(0o660))
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        put_in_place(other, path)
        with pytest.raises(OSError, match="Stale"):
            change_permissions(str(path), file, EVERYBODY)
        assert stat.S_IMODE(other.stat().st_mode) == 0o600
        remove_socket(str(path), file)
        assert path.exists()


def test_a_link_to_a_dead_socket_is_left_alone(tmp_path: Path) -> None:
    dead, path = tmp_path / "dead", tmp_path / "front"
    listen_unix(str(dead), 16)[0].close()
    path.symlink_to(dead)
    with pytest.raises(OSError, match="not a socket"):
        listen_unix(str(path), 16)
    assert path.is_symlink()
    assert dead.is_socket()


def test_a_race_for_the_path_of_a_socket(secret: Path, tmp_path: Path) -> None:
    path, spare = tmp_path / "front", tmp_path / "spare"
    is_over = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        while not is_over.is_set():
            spare.symlink_to(secret)
            while not is_over.is_set():
                if path.is_socket():
                    spare.rename(path)
                    swaps += 1
                    break

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(MOST_TRIES):
            with contextlib.suppress(OSError):
                listen_unix(str(path), 16, EVERYBODY)[0].close()
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600
            path.unlink(missing_ok=True)
            if swaps >= ENOUGH_SWAPS:
                break
    finally:
        is_over.set()
        thread.join()
