"""The line of a connection as HAProxy's `option tcplog` has it, for parsers that know that.

The format is that of HAProxy's configuration manual, chapter 8.2.2, "TCP log format":
``%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq``.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from spliceproxy.formats.timestamps import Seconds
from spliceproxy.observe.connection import ConnectionRecord

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class OpenConnections(NamedTuple):
    """Of one worker, beside the one that has ended."""

    worker: int
    route: int
    backend: int
    """To the backend that the ended one had."""


CountOpen = Callable[[ConnectionRecord], OpenConnections]


def _local_second(second: int) -> str:
    # The month's name is HAProxy's, not the locale's.
    local = time.localtime(second)
    return time.strftime(f"%d/{_MONTHS[local.tm_mon - 1]}/%Y:%H:%M:%S", local)


_local = Seconds(_local_second)


def render_haproxy_tcp(record: ConnectionRecord, others: OpenConnections) -> bytes:
    """Return the line; the frontend and the backend of a route are both called after it."""
    second, ms = divmod(int(record.accepted * 1000), 1000)
    queue_ms = _ms(record.queue_s or 0.0)
    connect_ms = -1 if record.connect_s is None else _ms(record.connect_s) - queue_ms
    route = record.route
    return (
        f"{_address(record.client)} [{_local(second)}.{ms:03d}] {route} "
        f"{route}/{_word(record.backend_name) or '<NOSRV>'} "
        f"{queue_ms}/{connect_ms}/{_ms(record.duration_s)} "
        f"{record.response_bytes} {record.termination} "
        # Of the first two the ended one is still a part.
        f"{others.worker + 1}/{others.route + 1}/{others.route}/{others.backend}"
        f"/{max(record.attempts - 1, 0)} 0/0\n"
    ).encode()


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _address(client: str) -> str:
    """Return the client as HAProxy writes it: IPv6 without brackets, unix with a port."""
    return "unix:1" if client == "unix" else client.replace("[", "").replace("]", "")


def _word(text: str) -> str:
    """Return a text as one word, as a parser that splits at blanks needs it."""
    return text.replace(" ", "_")
