"""Connections that no other target can understand, as their first bytes show."""

import struct
from collections import Counter
from enum import Enum

from spliceproxy.capture import Closed, Data, Event

_LOOKED_AT_BYTES = 1024
"""Of each direction: a hello, or a login as far as its challenge."""
_MOST_PIECES = 8
_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_POSTGRES_CHALLENGES = frozenset({5, 7, 9, 10})
"""MD5, GSS, SSPI, SASL: the code in an authentication request
(https://www.postgresql.org/docs/current/protocol-message-formats.html)."""
_MYSQL_TLS_BYTES = 32
"""What a client sends before TLS has no user's name, but all that stands before it
(https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html)."""


class Obstacle(Enum):
    """Which connections they are, how many, why it can't work, and what to do."""

    TLS = (
        "connections with TLS: {}; the target can't read ciphertext of another session: capture"
        " what is plaintext, in a proxy that ends TLS or behind one"
    )
    POSTGRES_LOGIN = (
        "connections that log in to PostgreSQL with a challenge (SCRAM, MD5 or GSS): {}; the"
        " recorded response to it is wrong: record with a login without one, such as trust, which"
        " the target has to have, too"
    )
    MYSQL_LOGIN = (
        "connections that log in to MySQL with a challenge: {}; the recorded response to it is"
        " wrong: record with a user without a password, which the target has to have, too"
    )


_MID_STREAM = (
    "connections that began before the capture did, and are skipped: {}; replay --incomplete send"
    " sends what there is of them"
)


def find_obstacle(request: bytes, response: bytes) -> Obstacle | None:
    """Return what the first bytes of both directions show."""
    while request[:4] == b"\0\0\0\x08" and _number(request[4:8]) in (_SSL_REQUEST, _GSS_REQUEST):
        if response[:1] in (b"S", b"G"):
            return Obstacle.TLS
        request, response = request[8:], response[1:]
    # A record of a handshake, of TLS 1.x, with a ClientHello (RFC 8446, 4 and 5.1).
    if request[:2] == b"\x16\x03" and request[5:6] == b"\x01":
        return Obstacle.TLS
    if _number(request[4:8]) >> 16 == 3:  # PostgreSQL's version, which all others must not have
        is_asked = response[:1] == b"R" and _number(response[5:9]) in _POSTGRES_CHALLENGES
        return Obstacle.POSTGRES_LOGIN if is_asked else None
    # Sequence numbers 0 and 1, version 10 of the protocol, the server's version.
    if response[3:5] == b"\0\x0a" and response[5:6].isdigit() and request[3:4] == b"\x01":
        return _mysql_obstacle(request)
    return None


def _mysql_obstacle(request: bytes) -> Obstacle | None:
    if int.from_bytes(request[:3], "little") == _MYSQL_TLS_BYTES:
        return Obstacle.TLS
    user_end = request.find(b"\0", 4 + _MYSQL_TLS_BYTES)
    is_without_password = user_end > 0 and request[user_end + 1 : user_end + 2] == b"\0"
    return None if is_without_password else Obstacle.MYSQL_LOGIN


def _number(data: bytes) -> int:
    return struct.unpack("!I", data)[0] if len(data) == 4 else 0


class Obstacles:
    """Of all connections of a replay."""

    def __init__(self) -> None:
        self._connections: Counter[Obstacle] = Counter()

    def watch(self) -> "ConnectionStart":
        """Return what looks at one more connection."""
        return ConnectionStart(self._connections)

    def hints(self) -> list[str]:
        """Return a line for each kind that there is."""
        counts = self._connections
        return [kind.value.format(counts[kind]) for kind in Obstacle if counts[kind]]


class ConnectionStart:
    """Takes the events of a connection, in order; when it `is_over`, it needs no more."""

    __slots__ = ("_connections", "_pieces", "_request", "_response", "is_over")

    def __init__(self, connections: Counter[Obstacle]) -> None:
        self.is_over = False
        self._connections = connections
        self._pieces = 0
        self._request = b""
        self._response = b""

    def take(self, event: Event) -> None:
        """Look at one more event."""
        if isinstance(event, Data):
            self._take(event)
        elif isinstance(event, Closed):
            self.end()

    def _take(self, event: Data) -> None:
        self._pieces += 1
        if event.direction == "request":
            if event.offset and not self._request:  # its beginning is missing
                self.is_over = True
                return
            self._request += event.data[: _LOOKED_AT_BYTES - len(self._request)]
        else:
            self._response += event.data[: _LOOKED_AT_BYTES - len(self._response)]
        is_enough = min(len(self._request), len(self._response)) >= _LOOKED_AT_BYTES
        if is_enough or self._pieces >= _MOST_PIECES:
            self.end()

    def end(self) -> None:
        """No more comes: count what was seen."""
        if self.is_over:
            return
        self.is_over = True
        found = find_obstacle(self._request, self._response)
        if found is not None:
            self._connections[found] += 1


def mid_stream_hint(count: int) -> list[str]:
    """Return a line about connections that were skipped since they begin mid-way, if there are."""
    return [_MID_STREAM.format(count)] if count else []
