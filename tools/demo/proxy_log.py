"""What spliceproxy says about itself on its standard output, one JSON object a line."""

import json
from typing import Any

import trio

Event = dict[str, Any]


class ProxyLog:
    """The start line, and the line of every connection that has ended."""

    def __init__(self) -> None:
        self.started: Event | None = None
        self.connections: list[Event] = []
        self._changed = trio.Condition()
        self._ended = False

    async def read_from(self, output: trio.abc.ReceiveStream) -> None:
        """Take in every line until the process closes its output."""
        pending = b""
        async for received in output:
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
            await self._notify()
        self._ended = True
        await self._notify()

    def _take(self, event: Event) -> None:
        if event["event"] == "started":
            self.started = event
        elif event["event"] == "connection":
            self.connections.append(event)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def wait_started(self) -> Event | None:
        """Return the start line, or None when the process ended without one."""
        async with self._changed:
            while self.started is None and not self._ended:
                await self._changed.wait()
            return self.started

    async def wait_connections(self, count: int) -> None:
        """Wait until that many connections have been reported."""
        async with self._changed:
            while len(self.connections) < count and not self._ended:
                await self._changed.wait()
