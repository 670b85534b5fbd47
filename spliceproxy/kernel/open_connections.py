"""The TCP connections that another process has open, as the kernel lists them."""

import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spliceproxy.kernel.addresses import name_peer

_SOCKET = re.compile(r"socket:\[(\d+)\]")
# Columns of /proc/net/tcp (proc_net_tcp, the kernel's Documentation/networking/proc_net_tcp.rst).
_LOCAL, _REMOTE, _STATE, _INODE = 1, 2, 3, 9
_NOT_CONNECTED = frozenset({"07", "0A"})  # TCP_CLOSE, TCP_LISTEN (include/net/tcp_states.h)


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """Both ends of a connection, as the log names them."""

    local: str
    remote: str


def open_connections(pid: int) -> list[OpenConnection]:
    """Return the TCP connections of a process; none if it may not be looked at.

    Listeners, and sockets that are not connected, are none.

    Reads a line for each socket of the network namespace: 18,000 take about half a second.
    """
    inodes = _socket_inodes(pid)
    return [
        connection
        for table in ("tcp", "tcp6")
        for inode, connection in _read_table(pid, table)
        if inode in inodes
    ]


def _socket_inodes(pid: int) -> set[str]:
    inodes = set()
    try:
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return set()
    for descriptor in descriptors:
        try:
            found = _SOCKET.fullmatch(str(descriptor.readlink()))
        except OSError:  # closed since
            continue
        if found:
            inodes.add(found[1])
    return inodes


def _read_table(pid: int, table: str) -> Iterator[tuple[str, OpenConnection]]:
    try:
        lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    except OSError:  # no IPv6, or gone
        return
    for line in lines:
        columns = line.split()
        if columns[_STATE] not in _NOT_CONNECTED:
            yield columns[_INODE], OpenConnection(_name(columns[_LOCAL]), _name(columns[_REMOTE]))


def _name(text: str) -> str:
    """Name an address that is written as words of this machine's byte order, in hexadecimal."""
    words, _, port = text.partition(":")
    parts = [int(words[start : start + 8], 16) for start in range(0, len(words), 8)]
    packed = struct.pack(f"={len(parts)}I", *parts)
    family = socket.AF_INET if len(parts) == 1 else socket.AF_INET6
    return name_peer((socket.inet_ntop(family, packed), int(port, 16)))
