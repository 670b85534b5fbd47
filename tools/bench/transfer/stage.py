"""What all trials stand on: files, the programs at the other ends, and connections to them."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from spliceproxy.kernel import syscalls
from tools.bench import origins, ports
from tools.bench.errors import BenchError
from tools.bench.placement import Placement
from tools.bench.transfer import cache_misses
from tools.bench.transfer.cache_misses import EventCounter
from tools.companions.pagecache.cached_file import opened

_BLOCK_BYTES = 1 << 20
_MOST_LEFT_SHARE = 0.02  # of a dropped file; readahead of a neighbour may bring some back
_POLL_S = 50e-6
_LOADS = ("drain", "flood", "asker")


@dataclass(frozen=True)
class Stage:
    """A place to measure on. Files are made when they are first asked for, and kept."""

    directory: Path
    seconds: float
    ports: dict[str, int]
    drops_all_caches: bool
    cache_misses: EventCounter | None = None

    def file(self, size_bytes: int) -> Path:
        """Return a file of that size, written to the disk and in the page cache."""
        path = self.directory / f"{size_bytes}.bin"
        if not path.exists():
            with path.open("wb") as file:
                _fill(file, size_bytes)
        return path

    def cool(self, path: Path) -> None:
        """Take a file out of the page cache.

        Raises:
            BenchError: its pages stay: a file system in memory.
        """
        with opened(path) as file:
            file.drop()
            if self.drops_all_caches:
                Path("/proc/sys/vm/drop_caches").write_text("1")
            residency = file.residency()
        if residency.resident_pages > _MOST_LEFT_SHARE * len(residency.pages):
            raise BenchError(f"{self.directory} keeps its files in memory; set TMPDIR")

    @contextmanager
    def connected(self, load: str, segment_bytes: int = 0) -> Iterator[socket.socket]:
        """Connect a non-blocking socket to one of the programs at the other end."""
        with socket.socket() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, ports.CONGESTION_CONTROL)
            if segment_bytes:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment_bytes)
            sock.connect((ports.HOST, self.ports[load]))
            sock.setblocking(False)
            yield sock


def _fill(file: IO[bytes], size_bytes: int) -> None:
    block = os.urandom(min(size_bytes, _BLOCK_BYTES))
    for offset in range(0, size_bytes, _BLOCK_BYTES):
        file.write(block[: size_bytes - offset])
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def built(
    directory: Path, seconds: float, where: Placement, *, drops_all_caches: bool
) -> Iterator[Stage]:
    """Start the other ends on the load's CPUs and keep this process on the other one."""
    with ExitStack() as stack:
        taken: dict[str, int] = {}
        for load in _LOADS:
            port = ports.free_port()
            argv = [sys.executable, "-m", f"tools.bench.loads.{load}", str(port)]
            stack.enter_context(origins.started(load, argv, port, where, directory))
            taken[load] = port
        if where.proxy_cpus is not None:
            stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
            os.sched_setaffinity(0, where.proxy_cpus)
        counter = cache_misses.open_counter()
        if counter:
            stack.callback(counter.close)
        yield Stage(directory, seconds, taken, drops_all_caches, counter)


def wait_acknowledged(sock: socket.socket, timeout_s: float = 10.0) -> None:
    """Wait until the peer's kernel has all that was sent.

    Raises:
        BenchError: it has not after that time.
    """
    deadline_s = time.monotonic() + timeout_s
    while syscalls.unacknowledged_bytes(sock):
        if time.monotonic() > deadline_s:
            raise BenchError(f"not all bytes were taken within {timeout_s:g} s")
        time.sleep(_POLL_S)
