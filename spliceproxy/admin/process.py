"""The admin process: its one Trio program, from fork to exit."""

import socket
from collections.abc import Sequence

import trio

from spliceproxy.admin.api import Api
from spliceproxy.admin.attachments import AttachmentDirectory
from spliceproxy.admin.operations import Operations
from spliceproxy.admin.server import Door, Server
from spliceproxy.admin.stats_socket.server import StatsDoor, StatsServer
from spliceproxy.admin.worker_line import WorkerLine
from spliceproxy.admin.worker_lines import WorkerLines
from spliceproxy.ipc.master_line import (
    REOPEN_LOG,
    WORKER,
    WORKER_GONE,
    read_description,
    receive,
)
from spliceproxy.ipc.packets import encode
from spliceproxy.ipc.rows import CommonKind, row_name
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.observe.levels import set_level
from spliceproxy.observe.logs import Logs
from spliceproxy.observe.status_reader import StatusReader

AnyDoor = Door | StatsDoor


class AdminProcess:
    """Serves clients, and hears from the master who there is to ask; ends with the master."""

    def __init__(
        self, doors: Sequence[AnyDoor], table: SharedTable, master: socket.socket, logs: Logs
    ) -> None:
        self._master = master
        self._logs = logs
        self._workers = WorkerLines()
        self._operations = Operations(StatusReader(table), self._tell_master, self._workers)
        # Without a row in the table, numbers may come again after a restart of this process.
        numbers = table.claim_or_private(row_name(CommonKind.ATTACHMENT_NUMBERS))
        http = [door for door in doors if isinstance(door, Door)]
        grants = [grant for door in http for grant in door.attach]
        self._attachments = AttachmentDirectory(self._operations, self._workers, numbers, grants)
        self._server = Server(http, Api(self._operations, self._attachments).handle)
        stats = [door for door in doors if isinstance(door, StatsDoor)]
        self._stats_server = StatsServer(stats, self._operations)

    async def main(self) -> None:
        """Serve until the master is gone, or ends this process.

        Signals to all processes are ignored here: while connections drain there is most to see.
        """
        self._master.setblocking(False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._logs.flush)
            nursery.start_soon(self._server.run)
            nursery.start_soon(self._stats_server.run)
            nursery.start_soon(self._attachments.run)
            await self._follow_master()
            nursery.cancel_scope.cancel()

    async def _follow_master(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._master)
            told = receive(self._master)
            if told is None:
                return
            message, fd = told
            if message["what"] == WORKER_GONE:
                self._workers.remove(_number(message, "slot"))
            elif message["what"] == REOPEN_LOG:
                self._logs.go_on_in(_number(message, "number"), fd)
            elif fd is not None and message["what"] == WORKER:
                line = WorkerLine(_number(message, "slot"), socket.socket(fileno=fd))
                self._workers.add(line)
            elif fd is not None:
                description = read_description(fd)
                set_level(description.log_level)
                self._operations.describe(description)

    async def _tell_master(self, what: str, **details: str) -> None:
        packet = encode({"what": what, **details})
        await trio.lowlevel.wait_writable(self._master)
        self._master.send(packet)


def _number(message: dict[str, object], name: str) -> int:
    number = message[name]
    assert isinstance(number, int)  # noqa: S101 - the master's own
    return number
