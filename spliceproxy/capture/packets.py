"""A capture as packets: what a sniffer between client and backend would have seen.

Bytes, times and ends are those of the capture; handshakes, acknowledgements and how the bytes are
divided into packets are made up. A sequence number is the offset in the stream plus 1.
"""

import hashlib
from collections.abc import Iterable, Iterator

from spliceproxy import __version__
from spliceproxy.capture.client_random import ClientRandomSearch
from spliceproxy.capture.events import (
    Closed,
    ConnectionId,
    Data,
    Direction,
    End,
    Event,
    Missing,
    Opened,
)
from spliceproxy.formats.ip import map_ip, pack_ip
from spliceproxy.formats.key_log import KeyLog
from spliceproxy.formats.pcapng import encode_packet, encode_section, encode_tls_secrets
from spliceproxy.formats.tcp_frame import MOST_DATA_BYTES, TcpEnd, TcpFlag, encode_tcp_frame

_ACK = TcpFlag.ACK
_OTHER = {"request": "response", "response": "request"}


def to_pcapng(events: Iterable[Event], key_log: KeyLog | None = None) -> Iterator[bytes]:
    """Return a file of packets, piece by piece.

    Where a connection is TLS whose secrets are in the key log, they stand before its hello, and
    whoever reads the file can decrypt it. Secrets of other connections don't get there.
    """
    yield encode_section(f"spliceproxy {__version__}")
    conversations: dict[ConnectionId, _Conversation] = {}
    for event in events:
        conversation = conversations.get(event.connection)
        if conversation is None:
            facts = event.facts if isinstance(event, Opened) else {}
            conversation = conversations[event.connection] = _Conversation(
                event.connection, facts, key_log
            )
        yield from conversation.packets(event)
        if isinstance(event, Closed):
            del conversations[event.connection]


class _Conversation:
    """One connection; knows what each side has sent."""

    def __init__(
        self, connection: ConnectionId, facts: dict[str, object], key_log: KeyLog | None
    ) -> None:
        self._ends = _ends(connection, facts)
        self._next = {"request": 0, "response": 0}
        """Sequence number of what comes next, of each direction."""
        self._is_reset = False
        self._comment = _introduce(connection, facts)
        self._key_log = key_log
        self._search = ClientRandomSearch()

    def packets(self, event: Event) -> Iterator[bytes]:
        """Return what goes over the wire, if it were one."""
        match event:
            case Opened(is_continued=False):
                yield from self._handshake(event.time_ns)
            case Data():
                if self._key_log is not None and event.direction == "request":
                    yield from self._secrets(event, self._key_log)
                yield from self._data(event)
            case Missing():
                yield from self._gap(event)
            case End():
                yield from self._end(event)

    def _handshake(self, time_ns: int) -> Iterator[bytes]:
        yield self._packet(time_ns, "request", TcpFlag.SYN)
        self._next["request"] = 1
        yield self._packet(time_ns, "response", TcpFlag.SYN | _ACK)
        self._next["response"] = 1
        yield self._packet(time_ns, "request", _ACK)

    def _secrets(self, event: Data, key_log: KeyLog) -> Iterator[bytes]:
        client_random = self._search.feed(event.offset, event.data)
        if client_random is not None and (lines := key_log.secrets_of(client_random)):
            yield encode_tls_secrets(lines)

    def _data(self, event: Data) -> Iterator[bytes]:
        for start in range(0, len(event.data), MOST_DATA_BYTES):
            piece = event.data[start : start + MOST_DATA_BYTES]
            self._next[event.direction] = event.offset + start + 1
            yield self._packet(event.time_ns, event.direction, TcpFlag.PSH | _ACK, piece)
            self._next[event.direction] += len(piece)
            yield self._packet(event.time_ns, _OTHER[event.direction], _ACK)

    def _gap(self, event: Missing) -> Iterator[bytes]:
        length = "nobody knows how many" if event.length is None else str(event.length)
        self._comment = f"{length} bytes are missing here: {event.reason or 'no reason is known'}"
        self._next[event.direction] = event.offset + (event.length or 0) + 1
        yield self._packet(event.time_ns, event.direction, _ACK)

    def _end(self, event: End) -> Iterator[bytes]:
        if self._is_reset:
            return
        self._next[event.direction] = event.offset + 1
        if event.is_reset:
            self._is_reset = True
            yield self._packet(event.time_ns, event.direction, TcpFlag.RST | _ACK)
            return
        yield self._packet(event.time_ns, event.direction, TcpFlag.FIN | _ACK)
        self._next[event.direction] += 1
        yield self._packet(event.time_ns, _OTHER[event.direction], _ACK)

    def _packet(self, time_ns: int, direction: str, flags: int, data: bytes = b"") -> bytes:
        source, target = self._ends[direction], self._ends[_OTHER[direction]]
        acknowledged = self._next[_OTHER[direction]] if flags & _ACK else 0
        frame = encode_tcp_frame(source, target, self._next[direction], acknowledged, flags, data)
        comment, self._comment = self._comment, ""
        return encode_packet(time_ns, frame, comment)


_FIRST_FREE_PORT, _FREE_PORTS = 49_152, 16_384
"""Ports for no service in particular (RFC 6335): Wireshark takes none of them for a protocol."""


def _introduce(connection: ConnectionId, facts: dict[str, object]) -> str:
    names = ("route", "client", "peer", "listener", "backend_name", "backend", "server_name")
    told = [f"{name} {facts[name]}" for name in names if facts.get(name)]
    return ", ".join([f"connection {connection}", *told])


def _ends(connection: ConnectionId, facts: dict[str, object]) -> dict[str, TcpEnd]:
    """Return who talks; whoever has no address, as at a unix socket, gets one of its own.

    That is the same one for all connections to the same backend.
    """
    request = _end_of(connection, "request", str(facts.get("client", "")))
    response = _end_of(connection, "response", str(facts.get("backend", "")))
    if len(request.ip) != len(response.ip):
        request = TcpEnd(map_ip(request.ip), request.port)
        response = TcpEnd(map_ip(response.ip), response.port)
    return {"request": request, "response": response}


def _end_of(connection: ConnectionId, direction: Direction, name: str) -> TcpEnd:
    host, _, port = name.rpartition(":")
    if port.isascii() and port.isdecimal() and int(port) < 1 << 16:
        try:
            return TcpEnd(pack_ip(host.strip("[]")), int(port))
        except ValueError:
            pass
    subject = name if name and direction == "response" else f"{connection} {direction}"
    lot = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).digest()
    return TcpEnd(b"\x7f" + lot[:3], _FIRST_FREE_PORT + int.from_bytes(lot[3:5]) % _FREE_PORTS)
