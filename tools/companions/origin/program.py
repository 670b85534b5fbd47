"""A worker's whole life: a site, its cache and its log, until a signal comes."""

import json
import os
import signal
import socket
from dataclasses import dataclass

import trio

from spliceproxy.errors import ExitStatus
from spliceproxy.kernel.sockets import Socket
from spliceproxy.observe.line_buffer import LineBuffer, flush_task
from spliceproxy.observe.log_outlet import open_outlet
from tools.companions.origin.access_log import AccessLog
from tools.companions.origin.connection import Connection
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.limits import Limits
from tools.companions.origin.root import Root
from tools.companions.origin.senders import Technique
from tools.companions.origin.server import serve
from tools.companions.origin.site import Site

_LAST_LINES_S = 1.0  # so long a log reader that has stalled may hold up the exit


@dataclass(frozen=True, slots=True)
class Program:
    """What all workers share: made before they are forked."""

    listeners: list[socket.socket]
    root: Root
    cache: FileCache
    technique: Technique
    limits: Limits
    lists_directories: bool
    statistics_path: str
    log_fd: int | None

    def run_worker(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit status."""
        lines = None if self.log_fd is None else LineBuffer(open_outlet(self.log_fd))
        try:
            trio.run(self._serve, lines)
        finally:
            if lines is not None:
                lines.close(_LAST_LINES_S)
        return ExitStatus.OK

    async def _serve(self, lines: LineBuffer | None) -> None:
        log = None if lines is None else AccessLog(lines)
        pages = {self.statistics_path.encode(): self._statistics} if self.statistics_path else {}
        site = Site(self.root, lists_directories=self.lists_directories, pages=pages)

        def connection(sock: Socket, peer: str) -> Connection:
            return Connection(sock, peer, site, self.technique, self.limits, log)

        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                if lines is not None:
                    nursery.start_soon(flush_task, lines)
                nursery.start_soon(serve, self.listeners, connection, self.limits.max_connections)
                await anext(signals)
                nursery.cancel_scope.cancel()

    def _statistics(self) -> bytes:
        found = {"worker_pid": os.getpid(), **self.cache.statistics.as_dict()}
        return json.dumps(found).encode() + b"\n"
