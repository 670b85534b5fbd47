"""A worker in the calling process: for tests, and for embedding in a Trio program."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from spliceproxy.kernel.limits import connections_that_fit, file_limit
from spliceproxy.proxy.listening import open_listeners
from spliceproxy.proxy.worker import Worker
from spliceproxy.settings.options import Settings
from spliceproxy.sinks.checks import check_mirrors
from spliceproxy.sinks.mirrors import count_descriptors
from spliceproxy.upstream.backends import resolve_backends, resolve_mirrors


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is serving."""

    worker: Worker
    addresses: list[tuple[str, int] | str]
    """Where it listens, as `socket.getsockname` tells it."""


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Proxy]:
    """Serve inside the block; on leaving it, connections that are left are reset.

    Logs go to structlog as the embedding program has configured it.

    Raises:
        StartProblem: an address cannot be listened on, or a name does not resolve.
        UsageProblem: a mirror cannot work, such as a directory that is not writable.
    """
    backends = await trio.to_thread.run_sync(resolve_backends, settings.backends)
    mirror_backends = await trio.to_thread.run_sync(resolve_mirrors, settings.mirrors)
    check_mirrors(settings.mirrors)
    with open_listeners(settings) as listening:
        worker = Worker(
            settings,
            [sock.dup() for sock in listening],
            backends,
            max_connections=settings.max_connections
            or connections_that_fit(file_limit(), count_descriptors(settings.mirrors)),
            mirror_backends=mirror_backends,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(worker.run)
            yield Proxy(worker, [_address(sock) for sock in listening])
            nursery.cancel_scope.cancel()


def _address(sock: socket.socket) -> tuple[str, int] | str:
    name = sock.getsockname()
    return name if isinstance(name, str) else (name[0], name[1])
