"""A worker in the calling process: for tests, and for embedding in a Trio program."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import trio

from spliceproxy.ipc.description import Description
from spliceproxy.ipc.row_lifetime import TOUCH_INTERVAL_S
from spliceproxy.ipc.rows import TABLE_ROWS
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.kernel.inherited import find_inherited
from spliceproxy.master.describe import ProxyDescriber
from spliceproxy.master.loader import load_configuration
from spliceproxy.master.open_listeners import open_listeners
from spliceproxy.master.sample_keys import SampleKeys
from spliceproxy.observe.access_log import access_log_of_program
from spliceproxy.observe.status import Status
from spliceproxy.observe.status_reader import StatusReader
from spliceproxy.observe.tally import Tally
from spliceproxy.proxy.capacity import check_limit, fit_routes
from spliceproxy.proxy.prepared import make_tls, prepare
from spliceproxy.proxy.worker import Worker
from spliceproxy.settings.proxy import Settings


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is serving."""

    worker: Worker
    addresses: list[tuple[str, int] | str]
    """Where it listens, as `socket.getsockname` tells it."""
    reader: StatusReader
    description: Description

    def status(self) -> Status:
        """Return what goes on now. What open connections have moved is counted once a second."""
        return self.reader.status(self.reader.current(self.description))


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Proxy]:
    """Serve inside the block; on leaving it, connections that are left are reset.

    Logs go to structlog as the embedding program has configured it.

    Raises:
        StartProblem: an address cannot be listened on, or a name does not resolve.
        UsageProblem: a mirror cannot work, such as a directory that is not writable.
    """
    loaded = await trio.to_thread.run_sync(load_configuration, lambda: settings, find_inherited())
    kept = loaded.listeners + loaded.key_logs
    check_limit(settings, kept)
    with open_listeners(settings.routes, loaded.targets) as opened:
        # The worker closes what it serves; the names of unix sockets are removed here.
        served = [[sock.dup() for sock in sockets] for sockets in opened.sockets]
        capacity = fit_routes(settings, kept)
        tls = make_tls(settings, loaded.tls, opened.entries)
        routes = prepare(settings.routes, loaded.upstreams, served, capacity, tls)
        with closing(SharedTable(TABLE_ROWS)) as table:
            access_log = access_log_of_program(settings.access_log)
            sample_key = SampleKeys().choose(loaded.sample_key, settings.routes)
            slots = WorkerSlots(table)
            tally = Tally(table, slots.take())
            worker = Worker(settings, routes, tally, access_log, sample_key)
            worker.reactor.expect_forks()  # by the embedding program
            addresses = [_address(sock) for sockets in opened.sockets for sock in sockets]
            async with trio.open_nursery() as nursery:
                await nursery.start(worker.run)
                nursery.start_soon(_keep, slots)
                yield Proxy(
                    worker, addresses, StatusReader(table), ProxyDescriber().describe(routes)
                )
                nursery.cancel_scope.cancel()


async def _keep(slots: WorkerSlots) -> None:
    """Do what the master does where there is one."""
    while True:
        await trio.sleep(TOUCH_INTERVAL_S)
        slots.tend()


def _address(sock: socket.socket) -> tuple[str, int] | str:
    name = sock.getsockname()
    return name if isinstance(name, str) else (name[0], name[1])
