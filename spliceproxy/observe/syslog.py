"""Lines as syslog messages: what stands before them, and how long they may be."""

import os
import time

from spliceproxy.formats.timestamps import Seconds, timestamp

MAX_MESSAGE_BYTES = 8192
"""Of a message with its head: what rsyslog takes where nothing else is configured."""

APP_NAME = "spliceproxy"
_DAEMON = 3 << 3  # facility 3, "system daemons" (RFC 5424, 6.2.1)
_SEVERITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_PRIORITIES = {level: _DAEMON | severity for level, severity in _SEVERITIES.items()}

_MAX_HOST_LENGTH = 255  # RFC 5424, 6
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class NetworkFrame:
    """RFC 5424, for daemons on the network."""

    def __init__(self, host: str) -> None:
        # PRINTUSASCII without blanks; "-" stands for a name that nobody knows.
        printable = "".join(letter for letter in host if "!" <= letter <= "~")
        self._host = printable[:_MAX_HOST_LENGTH] or "-"

    def __call__(self, level: str, line: bytes) -> bytes:
        """Return the message of a line."""
        head = f"<{_PRIORITIES[level]}>1 {timestamp()} {self._host} {APP_NAME} {os.getpid()} - - "
        return _message(head.encode(), line)


def _rfc3164_second(second: int) -> str:
    local = time.localtime(second)
    return f"{_MONTHS[local.tm_mon - 1]} {local.tm_mday:2} {time.strftime('%H:%M:%S', local)}"


_local = Seconds(_rfc3164_second)


class LocalFrame:
    """The form of syslog(3), which is what the daemon at /dev/log expects.

    It is RFC 3164 without a host name. journald and rsyslog's imuxsock read no RFC 5424 there.
    """

    def __call__(self, level: str, line: bytes) -> bytes:
        """Return the message of a line."""
        now = _local(int(time.time()))
        return _message(f"<{_PRIORITIES[level]}>{now} {APP_NAME}[{os.getpid()}]: ".encode(), line)


def _message(head: bytes, line: bytes) -> bytes:
    """Return head and line as one message; a line that is too long says how much is missing."""
    message = head + line.rstrip(b"\n")
    excess = len(message) - MAX_MESSAGE_BYTES
    if excess <= 0:
        return message
    note = b" [%d bytes too long]" % excess
    kept = message[: MAX_MESSAGE_BYTES - len(note)].decode(errors="ignore")
    return kept.encode() + note
