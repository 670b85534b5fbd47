"""Places for log lines, opened: something to write to, and what is put around each line."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from spliceproxy.errors import StartProblem
from spliceproxy.observe.lines import LineBuffer
from spliceproxy.observe.log_file import LogFile
from spliceproxy.observe.outlet import open_outlet
from spliceproxy.observe.syslog import LocalFrame, NetworkFrame
from spliceproxy.observe.syslog_outlet import SyslogOutlet
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.log_place import LogPlace

Frame = Callable[[str, bytes], bytes]
"""Makes of a level and a line what is sent."""

_DESCRIPTORS = {"stdout": 1, "stderr": 2}


@dataclass(frozen=True, slots=True, eq=False)
class OpenPlace:
    """A place that lines can be written to, and those on their way there."""

    lines: LineBuffer
    file: LogFile | None = None
    frame: Frame | None = None
    is_terminal: bool = False

    def framed(self, level: str, line: bytes) -> bytes:
        """Return what is sent for a line."""
        return line if self.frame is None else self.frame(level, line)


def open_place(place: LogPlace) -> OpenPlace:
    """Open a place.

    Raises:
        StartProblem: it cannot be written to.
    """
    try:
        if place.kind == "file":
            file = LogFile(place.path)
            return OpenPlace(LineBuffer(file), file)
        if place.kind == "syslog":
            return _open_syslog(place)
        return open_descriptor(_DESCRIPTORS[place.kind])
    except OSError as error:
        why = error.strerror or str(error)
        raise StartProblem(f"cannot log to {place} ({why})", _remedy(place)) from error


def open_descriptor(fd: int) -> OpenPlace:
    """Open a descriptor that this process was started with."""
    # Left alone, a closed one would become some connection's number, and that would get the log.
    return OpenPlace(LineBuffer(open_outlet(fd)), is_terminal=os.isatty(fd))


def _open_syslog(place: LogPlace) -> OpenPlace:
    address = place.address
    if isinstance(address, TcpAddress):
        family, _, _, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_DGRAM
        )[0]
        frame = NetworkFrame(socket.gethostname())
        return OpenPlace(LineBuffer(SyslogOutlet(family, where)), frame=frame)
    path = "" if address is None else address.path
    return OpenPlace(LineBuffer(SyslogOutlet(socket.AF_UNIX, path)), frame=LocalFrame())


def _remedy(place: LogPlace) -> str:
    if place.kind == "file":
        return "check the directory and its rights"
    if place.kind == "syslog":
        return "check that the syslog daemon runs, and listens there"
    return f"leave {place} open, or send it to /dev/null"
