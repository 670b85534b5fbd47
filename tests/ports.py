"""Ports for servers that a test starts later, or starts again, and for addresses where none is.

A port that the kernel has chosen is the kernel's to give away again as soon as it is closed, to
any listener or outgoing connection of a process beside this one. These lie below the range that
Linux chooses from unless told otherwise (net.ipv4.ip_local_port_range: from 32768), and each
process of the suite has a block of its own.
"""

import random
import socket

_BLOCK_PORTS = 500
_BLOCKS = range(10_000, 32_500, _BLOCK_PORTS)


def _take_block() -> tuple[range, socket.socket]:
    """Take a block that no other process has; the socket's name keeps it until this one ends.

    Names of abstract sockets belong to a network namespace, as ports do.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for first in random.sample(_BLOCKS, len(_BLOCKS)):
        try:
            lock.bind(f"\0spliceproxy-tests-ports-{first}")
        except OSError:
            continue
        return range(first, first + _BLOCK_PORTS), lock
    raise RuntimeError(f"{len(_BLOCKS)} processes run tests here: no ports are left for another")


# Taken on import, so that no test seems to have left the lock open.
_block, _lock = _take_block()
_given = 0


def free_port() -> int:
    """Return a port that nobody has: the one that was given longest ago comes next."""
    global _given
    for _ in _block:
        port = _block[_given % len(_block)]
        _given += 1
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue  # some service of this machine
        return port
    raise RuntimeError(f"no port of {_block} is free")
