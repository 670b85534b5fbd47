"""What a network interface does for the kernel, as the program ethtool asks it."""

import fcntl
import socket
import struct
from ctypes import addressof, c_uint32

_SIOCETHTOOL = 0x8946  # linux/sockios.h
_COMMANDS = {  # linux/ethtool.h
    "scatter_gather": 0x18,  # ETHTOOL_GSG
    "transmit_checksums": 0x16,  # ETHTOOL_GTXCSUM
    "tcp_segmentation": 0x1E,  # ETHTOOL_GTSO
    "generic_segmentation": 0x23,  # ETHTOOL_GGSO
    "generic_receive": 0x2B,  # ETHTOOL_GGRO
}


def offloads(interface: str) -> dict[str, bool]:
    """Return which of an interface's offloads are on. Takes no rights.

    Raises:
        OSError: EOPNOTSUPP where the kernel or its sandbox answers no such question, ENODEV when
            the interface is gone.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return {name: _ask(sock, interface, command) for name, command in _COMMANDS.items()}


def _ask(sock: socket.socket, interface: str, command: int) -> bool:
    question = (c_uint32 * 2)(command, 0)  # struct ethtool_value
    # struct ifreq: the name, and a pointer in a union of 24 bytes.
    request = struct.pack("16sP16x", interface.encode()[:15], addressof(question))
    fcntl.ioctl(sock.fileno(), _SIOCETHTOOL, request)
    return bool(question[1])
