"""A worker's whole life: a site, its cache and its log, until a signal comes."""

import contextlib
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass

import trio
from prometheus_client import CONTENT_TYPE_LATEST

from spliceproxy.errors import ExitStatus
from spliceproxy.kernel.sockets import Socket
from spliceproxy.observe.line_buffer import LineBuffer, flush_task
from spliceproxy.observe.log_outlet import open_outlet
from tools.companions.origin.access_log import AccessLog
from tools.companions.origin.answer_cache import AnswerCache
from tools.companions.origin.cold_reader import ColdReader
from tools.companions.origin.connection import Connection
from tools.companions.origin.counts import Counts, Row
from tools.companions.origin.direct_files import DirectFiles
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.limits import Limits
from tools.companions.origin.master import run_workers
from tools.companions.origin.root import Root
from tools.companions.origin.senders import Technique
from tools.companions.origin.server import serve
from tools.companions.origin.service import Service
from tools.companions.origin.site import MadePage, Site

_LAST_LINES_S = 1.0  # so long a log reader that has stalled may hold up the exit


@dataclass(frozen=True, slots=True)
class Sending:
    """How files are read and sent, beyond the technique; None and 0 are for what is off."""

    answer_cache_bytes: int = 0
    largest_cached_bytes: int = 0
    recheck_s: float = 0.0
    threads: int = 0
    direct_from_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """What all workers share: made before they are forked."""

    listeners: list[socket.socket]
    root: Root
    cache: FileCache
    technique: Technique
    sending: Sending
    limits: Limits
    counts: Counts
    lists_directories: bool
    statistics_path: str
    metrics_path: str
    log_fd: int | None

    def run(self, workers: int) -> int:
        """Serve until SIGTERM or SIGINT, and tell what was done; returns the exit status."""
        if workers == 1:
            status = self._run_worker(0)
        else:
            status = run_workers(workers, self._run_worker, self._tell)
        self._tell()
        return status

    def _tell(self) -> None:
        print(f"origin: {self.counts.line()}", file=sys.stderr, flush=True)

    def _run_worker(self, number: int) -> int:
        lines = None if self.log_fd is None else LineBuffer(open_outlet(self.log_fd))
        try:
            trio.run(self._serve, number, lines)
        finally:
            if lines is not None:
                lines.close(_LAST_LINES_S)
        return ExitStatus.OK

    async def _serve(self, number: int, lines: LineBuffer | None) -> None:
        with contextlib.ExitStack() as on_exit:
            service = self._make_service(self.counts.row(number), lines, on_exit)

            def connection(sock: Socket, peer: str) -> Connection:
                return Connection(sock, peer, service)

            signals = on_exit.enter_context(
                trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
            )
            async with trio.open_nursery() as nursery:
                if lines is not None:
                    nursery.start_soon(flush_task, lines)
                nursery.start_soon(serve, self.listeners, connection, self.limits.max_connections)
                while await anext(signals) == signal.SIGUSR1:
                    self._tell()
                nursery.cancel_scope.cancel()

    def _make_service(
        self, counts: Row, lines: LineBuffer | None, on_exit: contextlib.ExitStack
    ) -> Service:
        sending = self.sending
        cold_reader = answers = direct_files = None
        if sending.threads:
            cold_reader = ColdReader(sending.threads, counts)
            on_exit.callback(cold_reader.close)
        if sending.answer_cache_bytes:
            answers = AnswerCache(
                self.root,
                capacity_bytes=sending.answer_cache_bytes,
                largest_body_bytes=sending.largest_cached_bytes,
                recheck_s=sending.recheck_s,
            )
        if sending.direct_from_bytes is not None:
            direct_files = DirectFiles(sending.direct_from_bytes, counts)
        return Service(
            self._site(),
            self.technique,
            self.limits,
            counts,
            None if lines is None else AccessLog(lines),
            answers,
            cold_reader,
            direct_files,
        )

    def _site(self) -> Site:
        pages = {
            self.statistics_path: MadePage(self._statistics, "application/json"),
            self.metrics_path: MadePage(self.counts.metrics, CONTENT_TYPE_LATEST),
        }
        return Site(
            self.root,
            lists_directories=self.lists_directories,
            pages={path.encode(): made for path, made in pages.items() if path},
        )

    def _statistics(self) -> bytes:
        found = {"worker_pid": os.getpid(), **self.cache.statistics.as_dict()}
        return json.dumps(found).encode() + b"\n"
