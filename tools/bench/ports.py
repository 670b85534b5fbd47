"""TCP ports on loopback: pick a free one, see whether somebody listens on it."""

import socket
from pathlib import Path

HOST = "127.0.0.1"
LISTEN_STATE = "0A"

CONGESTION_CONTROL = b"reno"
"""For sockets that the harness makes itself: every kernel has it, and it does not pace loopback."""


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Tell from the kernel's table, because a probing connection would disturb some servers."""
    return any(_in_table(Path(table), port) for table in ("/proc/net/tcp", "/proc/net/tcp6"))


def _in_table(table: Path, port: int) -> bool:
    with table.open() as lines:
        next(lines)
        for line in lines:
            _slot, local, _remote, state, *_rest = line.split()
            if state != LISTEN_STATE:
                # Listeners come first; behind them may stand 100,000 sockets in TIME_WAIT.
                return False
            if int(local.rpartition(":")[2], 16) == port:
                return True
    return False
