"""Asks the admin interface for its pages again and again.

Started as a program: python -m tools.bench.loads.scraper SOCKET TIMES_PER_S
It asks that often for each page, on one connection, and says how often it has when told to end.
"""

from __future__ import annotations

import http.client
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.bench import children, placement

PAGES = ("/metrics", "/api/status")
TIMEOUT_S = 10.0


@contextmanager
def scraping(
    path: Path, times_per_s: float, where: placement.Placement, directory: Path
) -> Iterator[children.Child]:
    """Scrape until the block ends."""
    argv = [*placement.taskset(where.load_cpus), sys.executable, "-m", __name__]
    with children.running("scraper", [*argv, str(path), str(times_per_s)], directory) as child:
        child.wait_until(lambda: child.last_words() == "scraping", "scraping")
        yield child


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


def _scrape(path: str, interval_s: float) -> None:
    connection = _Connection(path)
    due_s = time.monotonic()
    told = False
    while True:
        for page in PAGES:
            connection.request("GET", page)
            answer = connection.getresponse()
            if not answer.read() or answer.status != http.client.OK:
                sys.exit(f"{page}: status {answer.status}")
        if not told:
            print("scraping", flush=True)
            told = True
        due_s += interval_s
        time.sleep(max(0.0, due_s - time.monotonic()))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        _scrape(sys.argv[1], 1 / float(sys.argv[2]))
