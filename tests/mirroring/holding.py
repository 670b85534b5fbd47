"""Traffic that goes on until a mirror with `overflow=block` holds it back."""

from contextlib import suppress

import trio

from tests.mirroring.mirrored import Mirrored
from tests.proxy.bookkeeping import live_links
from tests.proxy.payload import random_bytes
from tests.proxy.relay import Connection, eventually

DATA = random_bytes(12_000_000)
BUFFER_BYTES = 100_000
ONE_FILL_BYTES = 1 << 20
KERNEL_BYTES = 200_000
BLOCK = f"?overflow=block&buffer={BUFFER_BYTES}"


def is_held(proxied: Mirrored) -> bool:
    return any(link.request.held for link in live_links(proxied.worker))


class Traffic:
    """Sends without end until the source is read no further."""

    def __init__(self, connection: Connection, nursery: trio.Nursery) -> None:
        self._connection = connection
        self._scope = trio.CancelScope()
        self.received = bytearray()
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send)
                nursery.start_soon(self._receive)

    async def _send(self) -> None:
        with suppress(OSError):  # the proxy has ended it
            await self._connection.client.send(DATA)

    async def _receive(self) -> None:
        with suppress(OSError):
            while chunk := await self._connection.backend.receive_some():
                self.received += chunk

    async def held(self, proxied: Mirrored) -> None:
        await eventually(lambda: is_held(proxied))
        await trio.sleep(0.1)
        assert is_held(proxied)

    def stop(self) -> None:
        """Leave the sockets to the test."""
        self._scope.cancel()
