"""The places that mirrors copy to, one for each kind of sink, played by the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import trio

from spliceproxy.capture.segment import Segment
from spliceproxy.formats.capture import layout
from spliceproxy.formats.capture.names import parse_segment_name
from tests.proxy.peer import Acceptor, End, Peer
from tests.streams import KERNEL_CHOICE, Buffers

Kind = Literal["file", "capture", "tcp", "tls", "unix", "exec", "null"]
KINDS: tuple[Kind, ...] = ("file", "capture", "tcp", "tls", "unix", "exec", "null")


class Place:
    """Where one stream's copy arrives; `text` is the mirror without options."""

    text: str
    end: End | None = None
    """How the copy ended, where that can be seen."""

    def release(self) -> None:
        """Begin to read, if the place was made to wait."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Take copies within the block."""
        yield

    async def received(self) -> bytes | None:
        """The whole copy, once the sink is done with it; None where it cannot be seen."""
        raise NotImplementedError


class NullPlace(Place):
    text = "null:"

    async def received(self) -> bytes | None:
        return None


class FilePlace(Place):
    """A directory for files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.text = f"file:{directory}"

    def stream(self, direction: str = "request") -> bytes:
        """The complete file of the only connection; empty when nothing was written."""
        found = [
            *self.directory.glob(f"*/*-{direction}"),
            *self.directory.glob(f"*/*-{direction}.incomplete"),
        ]
        assert len(found) <= 1
        return found[0].read_bytes() if found else b""

    async def received(self) -> bytes | None:
        return self.stream()


class CapturePlace(Place):
    """A directory for segments."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.text = f"capture:{directory}"

    def stream(self, direction: str = "request") -> bytes:
        """The bytes of the only connection, which are whole; empty when nothing was written."""
        data = b""
        for record in captured(self.directory):
            if record.kind == layout.RecordKind.DATA and record.direction == direction:
                assert record.offset == len(data)
                data += record.payload
        return data

    async def received(self) -> bytes | None:
        return self.stream()


def captured(directory: Path) -> list[layout.Record]:
    """All records of a directory's segments, which must not be damaged."""
    records = []
    for path in sorted(directory.iterdir()):
        if parse_segment_name(path.name):
            segment = Segment(path)
            records += list(segment.records())
            assert segment.damage is None
            segment.close()
    return records


class CommandPlace(Place):
    """A command that keeps its input."""

    def __init__(self, directory: Path, *, held: bool = False) -> None:
        self.path = directory / "input"
        self._go = directory / "go"
        wait = f"while [ ! -e {self._go} ]; do sleep 0.01; done; " if held else ""
        self.text = f"exec:sh -c '{wait}cat >> {self.path}'"

    def release(self) -> None:
        self._go.touch()

    async def received(self) -> bytes | None:
        return self.path.read_bytes() if self.path.exists() else b""


class SocketPlace(Place):
    """A listener, TCP, Unix, or by TLS, that keeps what its first connection brings."""

    def __init__(
        self,
        path: Path | None = None,
        buffers: Buffers = KERNEL_CHOICE,
        *,
        held: bool = False,
        scheme: Literal["tcp", "tls"] = "tcp",
    ) -> None:
        self._scheme = scheme
        self._path = path
        self._buffers = buffers
        self._data = b""
        self._done = trio.Event()
        self._go = trio.Event()
        if not held:
            self._go.set()
        self.text = "" if path is None else f"unix:{path}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        address = ("127.0.0.1", 0) if self._path is None else str(self._path)
        acceptor = Acceptor(address, self._buffers, 16)
        if not isinstance(acceptor.address, str):
            self.text = f"{self._scheme}://127.0.0.1:{acceptor.address[1]}"
        peers: list[Peer] = []
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._receive, acceptor, peers)
                yield
                nursery.cancel_scope.cancel()
        finally:
            acceptor.close()
            for peer in peers:
                peer.close()

    def release(self) -> None:
        self._go.set()

    async def _receive(self, acceptor: Acceptor, peers: list[Peer]) -> None:
        peer = await acceptor.accept()
        peers.append(peer)
        self.end = "reset"
        with suppress(ConnectionError):
            if self._scheme == "tls":
                await peer.speak_tls(server_side=True)
            await self._go.wait()
            self._data, self.end = await peer.receive_rest()
        peer.close()
        self._done.set()

    async def received(self) -> bytes | None:
        await self._done.wait()
        return self._data


def make_place(
    kind: Kind, directory: Path, *, held: bool = False, buffers: Buffers = KERNEL_CHOICE
) -> Place:
    """Make it; a held one, if it is a peer or a command, reads only when it is released."""
    if kind == "file":
        return FilePlace(directory)
    if kind == "capture":
        return CapturePlace(directory)
    if kind == "exec":
        return CommandPlace(directory, held=held)
    if kind == "null":
        return NullPlace()
    path = directory / "mirror.sock" if kind == "unix" else None
    return SocketPlace(path, buffers, held=held, scheme="tls" if kind == "tls" else "tcp")
