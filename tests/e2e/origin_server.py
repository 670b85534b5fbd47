"""Runs `python -m tools.companions.origin`."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
STOP_TIMEOUT_S = 10
ACCOUNT = re.compile(r"^origin: \d+ connections, \d+ requests, .*\n", re.MULTILINE)
COMMAND = [sys.executable, "-m", "tools.companions.origin"]


@dataclass(frozen=True)
class OriginServer:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def origin_server(root: Path, *options: str, status: int = 0) -> Iterator[OriginServer]:
    """Serve a directory; at the end it must stop on SIGTERM, and must have complained of nothing.

    Lines of access are off unless an option says otherwise; `status` is the exit status expected
    of a server that the test itself has brought down.
    """
    argv = [*COMMAND, "--root", str(root), "--access-log", "off", *options]
    process = subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    try:
        first_line = process.stdout.readline().decode()
        assert first_line.startswith("http://127.0.0.1:"), process.communicate()[1].decode()
        yield OriginServer(process, int(first_line.rstrip("/\n").rpartition(":")[2]))
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=STOP_TIMEOUT_S)
        assert process.returncode == status
        complaints = ACCOUNT.sub("", told.decode())
        assert status or not complaints
    finally:
        process.kill()
        process.communicate()
