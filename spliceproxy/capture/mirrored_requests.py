"""What a mirror's peer was sent, put where the capture tells that it was.

A capture has the answers of a mirror's peer as a connection of their own, and the requests only
once: on the connection that it mirrors.
"""

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from spliceproxy.capture.connection import Connection
from spliceproxy.capture.events import Closed, ConnectionId, Data, Event, Missing, Opened, Sent
from spliceproxy.capture.reader import Capture

MOST_HELD_BYTES = 64 << 20
"""Of requests that have not been sent to all peers yet, together. A peer that is further behind
misses what had to go."""
_PIECE_BYTES = 256
"""What a piece takes beside its bytes, roughly."""


@dataclass(slots=True, eq=False)
class _Mirrored:
    """A connection that mirrors' peers answer, too."""

    pieces: deque[Data] = field(default_factory=deque)
    """Of its request, that not all peers have been sent."""
    sent: dict[ConnectionId, int] = field(default_factory=dict)
    """How far each peer has got it."""


class MirroredRequests:
    """Passes on events, in the order of the log."""

    def __init__(self, most_held_bytes: int = MOST_HELD_BYTES) -> None:
        self._most_held_bytes = most_held_bytes
        self._held_bytes = 0
        self._held: OrderedDict[tuple[ConnectionId, int], _Mirrored] = OrderedDict()
        """Whose piece it is, by connection and offset; the oldest first."""
        self._mirrored: dict[ConnectionId, _Mirrored] = {}
        self._of: dict[ConnectionId, ConnectionId] = {}  # by the peer's connection

    def take(self, event: Event) -> Iterator[Event]:
        """Return the event, or what stands for it."""
        match event:
            case Opened():
                self._open(event)
            case Data(direction="request"):
                self._hold(event)
            case Sent():
                yield from self._send(event)
                return
            case Closed():
                self.forget(event.connection)
        yield event

    def _open(self, event: Opened) -> None:
        try:
            of = ConnectionId.parse(str(event.facts.get("mirror_of", "")))
        except ValueError:
            return
        self.expect(event.connection, of)

    def expect(self, connection: ConnectionId, of: ConnectionId) -> None:
        """A mirror's connection gets the request of another one from now on."""
        if connection not in self._of:
            self._of[connection] = of
            self._mirrored.setdefault(of, _Mirrored()).sent[connection] = 0

    def _hold(self, event: Data) -> None:
        mirrored = self._mirrored.get(event.connection)
        if mirrored is None:
            return
        mirrored.pieces.append(event)
        self._held[event.connection, event.offset] = mirrored
        self._held_bytes += _size(event)
        while self._held_bytes > self._most_held_bytes:
            self._drop_first(next(iter(self._held.values())))

    def _drop_first(self, mirrored: _Mirrored) -> None:
        piece = mirrored.pieces.popleft()
        self._held.pop((piece.connection, piece.offset), None)
        self._held_bytes -= _size(piece)

    def _send(self, event: Sent) -> Iterator[Event]:
        of = self._of.get(event.connection)
        mirrored = None if of is None else self._mirrored.get(of)
        if mirrored is None:  # its beginning is not in the capture
            return
        at = mirrored.sent[event.connection]
        for piece in mirrored.pieces:
            begin, end = max(at, piece.offset), min(event.offset, piece.offset + len(piece.data))
            if begin < end:
                yield from _missing(event, at, begin)
                data = piece.data[begin - piece.offset : end - piece.offset]
                yield Data(event.connection, event.sent_ns, "request", begin, data, True)
                at = end
        yield from _missing(event, at, event.offset)
        mirrored.sent[event.connection] = event.offset
        self._let_go(mirrored)

    def _let_go(self, mirrored: _Mirrored) -> None:
        sent = min(mirrored.sent.values(), default=None)
        while (pieces := mirrored.pieces) and (
            sent is None or pieces[0].offset + len(pieces[0].data) <= sent
        ):
            self._drop_first(mirrored)

    def forget(self, connection: ConnectionId) -> None:
        """Nothing more comes of a connection: it is over, or has been given up."""
        of = self._of.pop(connection, None)
        if of is not None and (mirrored := self._mirrored.get(of)) is not None:
            del mirrored.sent[connection]
            self._let_go(mirrored)
            if not mirrored.sent:
                del self._mirrored[of]
        gone = self._mirrored.pop(connection, None)
        if gone is not None:
            gone.sent.clear()
            self._let_go(gone)


def _size(piece: Data) -> int:
    return len(piece.data) + _PIECE_BYTES


def _missing(event: Sent, at: int, begin: int) -> Iterator[Missing]:
    if begin > at:
        why = "not in the capture"
        yield Missing(event.connection, event.sent_ns, "request", at, begin - at, why)


def with_requests(events: Iterable[Event]) -> Iterator[Event]:
    """Return events with what mirrors' peers were sent, in the order of the log."""
    requests = MirroredRequests()
    for event in events:
        yield from requests.take(event)


def events_with_request(capture: Capture, connection: Connection) -> Iterator[Event]:
    """Read a connection again, with the request if it is a mirror's.

    Raises:
        OSError, UsageProblem: as `Connection.events`.
    """
    try:
        of = ConnectionId.parse(str(connection.facts.get("mirror_of", "")))
    except ValueError:
        return connection.events()
    mirrored = capture.connection(of)
    both = [connection.events()] if mirrored is None else [mirrored.events(), connection.events()]
    requests = MirroredRequests()
    requests.expect(connection.id, of)
    events = heapq.merge(*both, key=attrgetter("time_ns"))
    told = (told for event in events for told in requests.take(event))
    return (event for event in told if event.connection == connection.id)
