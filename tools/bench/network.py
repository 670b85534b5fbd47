"""The network that the traffic runs over: the machine's own loopback, or one apart.

The congestion control matters even on loopback: BBR paces its segments by timers, so that a bulk
transfer measures pacing. A namespace of its own lets a run choose another without changing the
machine's setting, and keeps sockets of other programs (TIME_WAIT) out of it.
"""

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

from tools.bench.errors import BenchError

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_UP = 1
CONGESTION_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")
ALLOWED_CONGESTION_CONTROLS = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")


def congestion_control() -> str:
    return CONGESTION_CONTROL.read_text().strip()


def enter_own_network(congestion: str) -> None:
    """Move this process, and all that it starts, to a fresh network with a loopback only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise BenchError(f"no network namespace for --congestion (root needed): {reason}")
    _raise_loopback()
    try:
        CONGESTION_CONTROL.write_text(congestion)
    except OSError as error:
        allowed = ALLOWED_CONGESTION_CONTROLS.read_text().strip()
        raise BenchError(
            f"congestion control {congestion}: {error.strerror} (allowed: {allowed})"
        ) from error


def _raise_loopback() -> None:
    name = b"lo"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sh14x", name, 0))
        flags: int = struct.unpack_from("16sh", request)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", name, flags | IFF_UP))
