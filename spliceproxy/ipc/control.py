"""What master and worker say to one another over a socket pair that keeps messages apart.

Orders go this way and not by signals: a terminal or a service manager sends its signals to the
whole process group, so a worker would count one order twice, and a second one means "at once".
A worker whose master is gone reads the end of the stream, and drains.
"""

from spliceproxy.settings.log import LEVELS, LogLevel

MAX_MESSAGE_BYTES = 64

GONE = b""
"""What is read when the other side is not there any more."""

READY = b"ready"
"""Worker to master: accepting."""

STOP = b"stop"
"""Master to worker: reset everything and exit."""

_DRAIN = b"drain "
_REOPEN_LOG = b"reopen_log "
_LOG_LEVEL = b"log_level "
_TICKETS = b"tickets "


def drain(timeout_s: float) -> bytes:
    """Master to worker: stop accepting, let connections finish within the timeout, then exit."""
    return b"%s%.3f" % (_DRAIN, timeout_s)


def drain_timeout_s(message: bytes) -> float | None:
    """Return the timeout of an order to drain; None for another message."""
    return float(message.removeprefix(_DRAIN)) if message.startswith(_DRAIN) else None


def reopen_log(number: int) -> bytes:
    """Master to worker: go on in the file that comes along, in place of the log's of that number.

    The master opens it, since a worker may not be allowed to.
    """
    return b"%s%d" % (_REOPEN_LOG, number)


def parse_reopen_log(message: bytes) -> int | None:
    """Return the number of the log's file; None for another message."""
    return int(message.removeprefix(_REOPEN_LOG)) if message.startswith(_REOPEN_LOG) else None


def log_level(level: LogLevel) -> bytes:
    """Master to worker: log what is of this level or above."""
    return _LOG_LEVEL + level.encode()


def parse_log_level(message: bytes) -> LogLevel | None:
    """Return the level that is ordered; None for another message."""
    ordered = message.removeprefix(_LOG_LEVEL).decode() if message.startswith(_LOG_LEVEL) else ""
    return next((level for level in LEVELS if level == ordered), None)


def use_tickets(secret: bytes) -> bytes:
    """Master to worker: give and take session tickets of TLS by a secret."""
    return _TICKETS + secret


def parse_tickets(message: bytes) -> bytes | None:
    """Return the secret; None for another message."""
    return message.removeprefix(_TICKETS) if message.startswith(_TICKETS) else None
