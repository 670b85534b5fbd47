"""Spliceproxy with an admin interface that nobody asks, and with one that is scraped."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from spliceproxy.cli.admin_client import AdminClient
from spliceproxy.errors import AskingProblem
from spliceproxy.settings.address import UnixAddress
from tools.bench import peers, placement
from tools.bench.errors import BenchError
from tools.bench.loads import scraper
from tools.bench.peers import Peer, Target

UNASKED = "unasked"
SCRAPED = "scraped"
TIMES_PER_S = 10
OPTIONS = ("--drain-timeout", "1s")
NOTE = (
    f"{SCRAPED}: {' and '.join(scraper.PAGES)}, {TIMES_PER_S} times a second each; CPU is that of "
    "the worker process, the admin process runs on the CPUs of the load"
)
_ANSWER_TIMEOUT_S = 10.0


def _worker_and_admin(path: Path, proxy_pid: int) -> tuple[int, int]:
    """Return the worker's and the admin process's number, as soon as the latter answers."""
    client = AdminClient(UnixAddress(str(path)), None)
    deadline_s = time.monotonic() + _ANSWER_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            (worker,) = client.get("/api/status")["workers"]
        except AskingProblem:
            time.sleep(0.05)
            continue
        children = Path(f"/proc/{proxy_pid}/task/{proxy_pid}/children").read_text().split()
        (admin,) = {int(child) for child in children} - {worker["pid"]}
        return int(worker["pid"]), admin
    raise BenchError("the admin interface does not answer")


def _peer(name: str, command: Sequence[str], *, is_scraped: bool) -> Peer:
    @contextmanager
    def start(backend_port: int, where: placement.Placement, directory: Path) -> Iterator[Target]:
        with TemporaryDirectory(dir=directory, prefix=f"{name}-") as own, ExitStack() as stack:
            admin = Path(own, "admin")
            peer = peers.spliceproxy(name, command, [*OPTIONS, "--admin", f"unix:{admin}"])
            target = stack.enter_context(peers.started(peer, backend_port, where, Path(own)))
            assert target.proxy_pid is not None  # noqa: S101 - it is not `direct`
            worker_pid, admin_pid = _worker_and_admin(admin, target.proxy_pid)
            if where.load_cpus is not None:
                os.sched_setaffinity(admin_pid, where.load_cpus)
            if is_scraped:
                stack.enter_context(scraper.scraping(admin, TIMES_PER_S, where, Path(own)))
            yield replace(target, proxy_pid=worker_pid)

    return replace(peers.spliceproxy(name, command), start=start, is_baseline=not is_scraped)


def built_in(command: Sequence[str] = peers.SPLICEPROXY_COMMAND) -> dict[str, Peer]:
    """Return both; ratios are taken to the one that nobody asks."""
    both = (_peer(UNASKED, command, is_scraped=False), _peer(SCRAPED, command, is_scraped=True))
    return {peer.name: peer for peer in both}
