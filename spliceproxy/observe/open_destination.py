"""Where log lines go, opened: something to write to, and what is put around each line."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.trusted_directory import UntrustedDirectoryError
from spliceproxy.observe.line_buffer import LineBuffer
from spliceproxy.observe.log_file import LogFile
from spliceproxy.observe.log_outlet import open_outlet
from spliceproxy.observe.syslog import LocalFrame, NetworkFrame
from spliceproxy.observe.syslog_outlet import SyslogOutlet
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.log_destination import LogDestination

Frame = Callable[[str, bytes], bytes]
"""Makes of a level and a line what is sent."""

_DESCRIPTORS = {"stdout": 1, "stderr": 2}


@dataclass(frozen=True, slots=True, eq=False)
class OpenDestination:
    """A destination that lines can be written to, and those on their way there."""

    lines: LineBuffer
    file: LogFile | None = None
    frame: Frame | None = None
    is_terminal: bool = False

    def framed(self, level: str, line: bytes) -> bytes:
        """Return what is sent for a line."""
        return line if self.frame is None else self.frame(level, line)


def open_destination(destination: LogDestination) -> OpenDestination:
    """Open a destination.

    Raises:
        StartProblem: it cannot be written to.
    """
    try:
        if destination.kind == "file":
            file = LogFile(destination.path)
            return OpenDestination(LineBuffer(file), file)
        if destination.kind == "syslog":
            return _open_syslog(destination)
        return open_descriptor(_DESCRIPTORS[destination.kind])
    except OSError as error:
        why = error.strerror or str(error)
        remedy = _remedy(destination, error)
        raise StartProblem(f"cannot log to {destination} ({why})", remedy) from error


def open_descriptor(fd: int) -> OpenDestination:
    """Open a descriptor that this process was started with."""
    # Left alone, a closed one would become some connection's number, and that would get the log.
    return OpenDestination(LineBuffer(open_outlet(fd)), is_terminal=os.isatty(fd))


def _open_syslog(destination: LogDestination) -> OpenDestination:
    address = destination.address
    if isinstance(address, TcpAddress):
        family, _, _, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_DGRAM
        )[0]
        frame = NetworkFrame(socket.gethostname())
        return OpenDestination(LineBuffer(SyslogOutlet(family, where)), frame=frame)
    path = "" if address is None else address.sun_path
    return OpenDestination(LineBuffer(SyslogOutlet(socket.AF_UNIX, path)), frame=LocalFrame())


def _remedy(destination: LogDestination, error: OSError) -> str:
    if isinstance(error, UntrustedDirectoryError):
        return error.remedy
    if destination.kind == "file":
        return "check the directory and its rights"
    if destination.kind == "syslog":
        return "check that the syslog daemon runs, and listens there"
    return f"leave {destination} open, or send it to /dev/null"
