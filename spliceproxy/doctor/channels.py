"""Every kind of descriptor that bytes are put into or taken out of, open for one trial."""

import os
import select
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_MS = 2000  # loopback delivers at once; this bounds a trial on a machine that is stuck


class NoChannelError(OSError):
    """What a trial needs beside the call that is tried cannot be had."""


@contextmanager
def _opening() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoChannelError(error.errno, error.strerror) from None


@dataclass(frozen=True, slots=True)
class Channel:
    """A kind of descriptor, open for a trial: what is put into one end comes out of the other."""

    input_fd: int
    output_fd: int
    is_file: bool = False
    """Both are one descriptor, with one position."""
    swallows: bool = False
    """Nothing comes out."""

    def put(self, content: bytes) -> None:
        """Fill it, from the beginning, with what is to be taken out."""
        self.rewind()
        os.write(self.input_fd, content)
        self.rewind()

    def take(self, count: int) -> bytes:
        """Return what has arrived, up to so many bytes."""
        taken = b""
        self.rewind()
        while len(taken) < count:
            self.wait_readable()
            piece = os.read(self.output_fd, count - len(taken))
            if not piece:
                break
            taken += piece
        return taken

    def wait_readable(self) -> None:
        """Wait for what is on its way; a file has it already."""
        if not self.is_file:
            poll = select.poll()
            poll.register(self.output_fd, select.POLLIN)
            poll.poll(_PATIENCE_MS)

    def rewind(self) -> None:
        """Go to the beginning of a file; all else has no position."""
        if self.is_file:
            os.lseek(self.output_fd, 0, os.SEEK_SET)


@contextmanager
def tcp(family: int, host: str) -> Iterator[Channel]:
    """Open a connection over the loopback interface."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.settimeout(_PATIENCE_MS / 1000)
        listener.bind((host, 0))
        listener.listen(1)
        near = stack.enter_context(socket.socket(family))
        near.settimeout(_PATIENCE_MS / 1000)
        near.connect(listener.getsockname())
        far = stack.enter_context(listener.accept()[0])
        near.setblocking(False)
        far.setblocking(False)
        yield Channel(near.fileno(), far.fileno())


@contextmanager
def unix() -> Iterator[Channel]:
    """Open a pair of unix stream sockets."""
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        yield Channel(near.fileno(), far.fileno())


@contextmanager
def pipe() -> Iterator[Channel]:
    """Open a pipe."""
    with _opening():
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield Channel(writer, reader)
    finally:
        os.close(reader)
        os.close(writer)


@contextmanager
def file_in(directory: Path, flags: int = 0) -> Iterator[Channel]:
    """Open a new file there, and remove it afterwards."""
    fd, name = tempfile.mkstemp(prefix=".spliceproxy-doctor-", dir=directory)
    try:
        os.close(fd)
        with _opened(name, os.O_RDWR | flags) as opened:
            yield Channel(opened, opened, is_file=True)
    finally:
        Path(name).unlink()


@contextmanager
def temporary_file(flags: int = 0) -> Iterator[Channel]:
    """Open a new file where temporary files are."""
    with file_in(Path(tempfile.gettempdir()), flags) as channel:
        yield channel


@contextmanager
def memory_file() -> Iterator[Channel]:
    """Open a file of tmpfs that has no name (memfd_create(2))."""
    with _opening():
        fd = os.memfd_create("spliceproxy-doctor")
    try:
        yield Channel(fd, fd, is_file=True)
    finally:
        os.close(fd)


@contextmanager
def nowhere() -> Iterator[Channel]:
    """Open what takes everything and gives nothing (null(4))."""
    with _opened(os.devnull, os.O_WRONLY) as fd:
        yield Channel(fd, fd, swallows=True)


@contextmanager
def _opened(path: str, flags: int) -> Iterator[int]:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


Opener = Callable[[], AbstractContextManager[Channel]]

CHANNELS: dict[str, tuple[str, Opener]] = {
    "tcp4": ("TCP over IPv4", lambda: tcp(socket.AF_INET, "127.0.0.1")),
    "tcp6": ("TCP over IPv6", lambda: tcp(socket.AF_INET6, "::1")),
    "unix": ("unix sockets", unix),
    "pipe": ("pipes", pipe),
    "file": ("files", temporary_file),
    "append": ("files opened with O_APPEND", lambda: temporary_file(os.O_APPEND)),
    "tmpfs": ("files of tmpfs", memory_file),
    "null": ("/dev/null", nowhere),
}
"""By the name that a check has for it: what people call it, and how it is opened."""
