"""The demo's origin, a small Trio server: `python -m tools.demo.origin` prints its port.

One request a line, as many as a client likes on a connection:

    GET <bytes> <seed>   answers with that many bytes, made from the seed
    PUT <bytes>          followed by that many bytes; answers with their SHA-256 and a newline
"""

import hashlib
from functools import partial

import trio

from .payload import BLOCK_BYTES, blocks

MAX_LINE_BYTES = 100


class _Reader:
    """Takes lines and counted bytes from a stream."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._pending = bytearray()

    async def line(self) -> bytes:
        """Return the next line without its end, or b"" when the client is done."""
        while b"\n" not in self._pending:
            if len(self._pending) > MAX_LINE_BYTES:
                raise ValueError("the request line is too long")
            received = await self._stream.receive_some(BLOCK_BYTES)
            if not received:
                return b""
            self._pending += received
        line, _, rest = bytes(self._pending).partition(b"\n")
        self._pending = bytearray(rest)
        return line

    async def sha256(self, total_bytes: int) -> str:
        """Read exactly that many bytes and return their digest."""
        digest = hashlib.sha256(self._pending[:total_bytes])
        left_bytes = total_bytes - len(self._pending[:total_bytes])
        del self._pending[:total_bytes]
        while left_bytes:
            received = await self._stream.receive_some(min(left_bytes, BLOCK_BYTES))
            if not received:
                raise ValueError(f"the body ended {left_bytes} bytes early")
            digest.update(received)
            left_bytes -= len(received)
        return digest.hexdigest()


async def _answer(stream: trio.SocketStream) -> None:
    reader = _Reader(stream)
    while line := await reader.line():
        match line.split():
            case [b"GET", total_bytes, seed]:
                for block in blocks(int(total_bytes), int(seed)):
                    await stream.send_all(block)
            case [b"PUT", total_bytes]:
                digest = await reader.sha256(int(total_bytes))
                await stream.send_all(digest.encode() + b"\n")
            case _:
                raise ValueError("not a request")


async def _serve_client(stream: trio.SocketStream) -> None:
    # A client that breaks off or talks nonsense loses its connection; the others never notice.
    try:
        await _answer(stream)
    except (trio.BrokenResourceError, ValueError):
        await trio.aclose_forcefully(stream)


async def _serve() -> None:
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, _serve_client, 0, host="127.0.0.1", backlog=4096)
        listeners: list[trio.SocketListener] = await nursery.start(serve)
        print(listeners[0].socket.getsockname()[1], flush=True)


if __name__ == "__main__":
    trio.run(_serve)
