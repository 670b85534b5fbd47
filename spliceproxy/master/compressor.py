"""The process that compresses segments of captures, apart from the workers and behind all others.

It is killed at any moment, and nothing is lost: see `capture.compress`.
"""

import json
import select
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from spliceproxy.capture.compress import StoppedEarlyError
from spliceproxy.capture.compressing import Compressing
from spliceproxy.errors import ExitStatus
from spliceproxy.formats.zstd import Zstd
from spliceproxy.kernel.priority import take_what_others_leave
from spliceproxy.sinks.sink import CompressedDirectory

INTERVAL_S = 2.0
"""Between two looks for segments that have been sealed."""


def run_compressor(
    directories: Iterable[CompressedDirectory], zstd: Zstd, master: socket.socket
) -> int:
    """Compress until the master is gone, in the child; returns the exit status."""
    take_what_others_leave()
    line = select.poll()
    line.register(master, select.POLLIN)

    def tell(event: str, said: dict[str, Any]) -> None:
        with suppress(OSError):  # the master is gone, or very busy: it is a line in a log
            master.send(json.dumps({"event": event, **said}).encode(), socket.MSG_DONTWAIT)

    def is_stopped() -> bool:
        return bool(line.poll(0))

    todo = [
        Compressing(one.path, trusted=one.trusted, zstd=zstd, tell=tell, is_stopped=is_stopped)
        for one in directories
    ]
    with suppress(StoppedEarlyError):
        while not line.poll(0):
            if not sum(one.turn() for one in todo):  # each has a turn
                line.poll(INTERVAL_S * 1000)
    return ExitStatus.OK
