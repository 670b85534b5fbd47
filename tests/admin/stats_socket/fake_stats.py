"""A busy proxy behind the statistics socket, and what it was ordered."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from spliceproxy.admin.messages import RefusedError
from spliceproxy.admin.roles import Operators
from spliceproxy.admin.stats_socket.server import StatsDoor, StatsServer
from spliceproxy.ipc.description import BackendDescription, Description, RouteDescription
from spliceproxy.observe.status import Status
from spliceproxy.policy.selection import Selection
from tests.admin.busy import busy, busy_connections


class FakeStats:
    def __init__(self) -> None:
        self.orders: list[tuple[object, ...]] = []
        self.refusal: RefusedError | None = None
        self.steps = 0

    @property
    def description(self) -> Description:
        routes = tuple(
            RouteDescription(
                route.name,
                (),
                route.balance,
                tuple(BackendDescription(one.name, one.weight) for one in route.backends),
                (),
            )
            for route in busy().routes
        )
        return Description(1, 0.0, 1, False, 0, 0, "", "info", routes)

    def status(self) -> Status:
        self.steps += 1
        return busy(self.steps)

    async def connections(self, selection: Selection, limit: int) -> dict[str, Any]:
        found = [one for one in busy_connections() if selection.number in (None, one["number"])]
        return {"found": found[:limit], "silent": []}

    async def close_connections(self, selection: Selection) -> dict[str, Any]:
        self.orders.append(("close", selection))
        known = {one["number"] for one in busy_connections()}
        return {"closed": int(selection.number in known), "silent": []}

    def set_backend_state(self, route: str, backend: str, state: str) -> None:
        self._order("state", route, backend, state)

    def set_backend_weight(self, route: str, backend: str, weight: int) -> None:
        self._order("weight", route, backend, weight)

    def _order(self, *order: object) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.orders.append(order)


@asynccontextmanager
async def stats_socket(
    path: Path, stats: FakeStats, operators: Operators | None = None
) -> AsyncIterator[None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(path))
        sock.listen(16)
        sock.setblocking(False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(StatsServer([StatsDoor(sock, operators or Operators())], stats).run)
            yield
            nursery.cancel_scope.cancel()


async def say(path: Path, sent: bytes, *, end: bool = True) -> str:
    """Send bytes, and return all that comes until the server hangs up."""
    async with await trio.open_unix_socket(path) as stream:
        await stream.send_all(sent)
        if end:
            await stream.send_eof()
        received = b""
        with trio.fail_after(10):
            async for data in stream:
                received += data
        return received.decode()
