"""Captures, read: what `capture:` mirrors have written.

import spliceproxy.capture

for connection in spliceproxy.capture.open("/var/lib/captures").connections():
print(connection.id, connection.facts["client"], connection.reason)
for event in connection.events():
print(event)
"""

from spliceproxy.capture.connection import Connection
from spliceproxy.capture.events import (
    Closed,
    ConnectionId,
    Data,
    Direction,
    End,
    Event,
    Missing,
    Opened,
    Sent,
)
from spliceproxy.capture.mirrored_requests import with_requests
from spliceproxy.capture.packets import to_pcapng
from spliceproxy.capture.reader import Capture, Unreadable, open  # noqa: A004
from spliceproxy.formats.key_log import KeyLog

__all__ = [
    "Capture",
    "Closed",
    "Connection",
    "ConnectionId",
    "Data",
    "Direction",
    "End",
    "Event",
    "KeyLog",
    "Missing",
    "Opened",
    "Sent",
    "Unreadable",
    "open",
    "to_pcapng",
    "with_requests",
]
