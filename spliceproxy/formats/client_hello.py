"""What a TLS client says before anything is encrypted: the server's name and the protocols."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from spliceproxy.formats.need_more import NeedMore

MAX_BYTES = 16 * 1024
"""Of the beginning of a connection; hellos with post-quantum keys have 2 KiB."""
MAX_RECORDS = 64
"""Clients send one; those that hide the name from a firewall send a few."""
MAX_EXTENSIONS = 64
"""That are looked at. Browsers send up to 20; IANA knows about 60 kinds."""
MAX_PROTOCOLS = 32
"""ALPN names; clients send two or three."""

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN = 0, 16  # extensions: RFC 6066, RFC 7301
_EXTENSIONS = {_SERVER_NAME: "server_name", _ALPN: "alpn"}
_HOST_NAME = 0
_RECORD_HEAD_BYTES, _MESSAGE_HEAD_BYTES = 5, 4
_MAX_FRAGMENT_BYTES = 1 << 14
_NAME = re.compile(rb"[!-~]{1,255}")  # printable: it goes to the log


class ClientHelloError(ValueError):
    """What began like TLS goes on in a way that is not; the text names the field, and says how."""


class NotTlsError(ClientHelloError):
    """The connection does not begin with a TLS handshake."""


@dataclass(frozen=True, slots=True)
class ClientHello:
    """Both as the client wrote them, and as it pleases the client."""

    server_name: str | None = None
    alpn: tuple[bytes, ...] = ()


class ClientHelloParser:
    """Reads the hello that one connection begins with, as its bytes come in.

    Each byte is taken out of its record once, whatever the pieces that it comes in, and the fields
    are read once, when all are there. So the work is bounded by the four maxima above.
    """

    __slots__ = ("_at", "_message", "_record_end", "_records")

    def __init__(self) -> None:
        self._message = bytearray()
        self._records = 0
        self._at = 0  # bytes of the connection that are done with
        self._record_end = 0

    def read(self, data: bytes) -> ClientHello | NeedMore:
        """Go on, given all that has come of the connection so far.

        Raises:
            NotTlsError: it begins with something else.
            ClientHelloError: the hello is malformed, or above one of the maxima.
        """
        while missing := self._missing_bytes():
            if self._at == self._record_end and not self._begin_record(data):
                # A record more, and at least what is missing in it. What is no TLS is to be known
                # for it at once: of the first record no more than its head is waited for.
                after_head = missing if self._records else 0
                return self._need(self._at + _RECORD_HEAD_BYTES + after_head)
            left = self._record_end - self._at
            needed = self._at + missing + (_RECORD_HEAD_BYTES if missing > left else 0)
            answer = self._need(needed)
            fragment = data[self._at : self._at + min(left, missing)]
            self._message += fragment
            self._at += len(fragment)
            if len(fragment) < min(left, missing):
                return answer
        return _read_hello(bytes(self._message[_MESSAGE_HEAD_BYTES:]))

    def _need(self, length: int) -> NeedMore:
        if length > MAX_BYTES:
            raise ClientHelloError(f"a hello of more than {MAX_BYTES} bytes")
        return NeedMore(length)

    def _missing_bytes(self) -> int:
        """Return how much of the message is still to come, as far as that is known."""
        message = self._message
        if message and message[0] != _CLIENT_HELLO:
            raise ClientHelloError(f"handshake message {message[0]} instead of a hello")
        length = _MESSAGE_HEAD_BYTES
        if len(message) >= _MESSAGE_HEAD_BYTES:
            length += int.from_bytes(message[1:_MESSAGE_HEAD_BYTES])
        return length - len(message)

    def _begin_record(self, data: bytes) -> bool:
        """Read the head of the next record, if it is there."""
        if self._records == MAX_RECORDS:
            raise ClientHelloError(f"a hello in more than {MAX_RECORDS} records")
        head = data[self._at : self._at + _RECORD_HEAD_BYTES]
        error = ClientHelloError if self._records else NotTlsError
        if head[:1] not in (b"", bytes([_HANDSHAKE])) or head[1:2] not in (b"", b"\x03"):
            raise error("not a TLS handshake record")
        if len(head) < _RECORD_HEAD_BYTES:
            return False
        length = int.from_bytes(head[3:])
        if not 0 < length <= _MAX_FRAGMENT_BYTES:
            raise error(f"a TLS handshake record of {length} bytes")
        self._records += 1
        self._at += _RECORD_HEAD_BYTES
        self._record_end = self._at + length
        return True


def _read_hello(message: bytes) -> ClientHello:
    body = _Reader(message)
    body.take(2, "version")
    body.take(32, "random")
    body.block(1, "session_id")
    body.block(2, "cipher_suites")
    body.block(1, "compression_methods")
    if not body.left:
        return ClientHello()
    extensions = body.block(2, "extensions")
    body.end("the hello")
    return _read_extensions(extensions)


def _read_extensions(extensions: "_Reader") -> ClientHello:
    server_name: str | None = None
    alpn: tuple[bytes, ...] = ()
    seen = set[int]()
    while extensions.left and not (server_name and alpn):
        if len(seen) == MAX_EXTENSIONS:
            raise ClientHelloError(f"extensions: more than {MAX_EXTENSIONS}")
        kind = extensions.number(2, "extensions")
        extension = extensions.block(2, _EXTENSIONS.get(kind) or f"extension {kind}")
        if kind in seen:
            raise ClientHelloError(f"extension {kind} twice")
        seen.add(kind)
        if kind == _SERVER_NAME:
            server_name = _read_server_name(extension.block(2, "server_name"))
            extension.end("server_name")
        elif kind == _ALPN:
            alpn = tuple(_read_protocols(extension.block(2, "alpn")))
            extension.end("alpn")
    return ClientHello(server_name, alpn)


def _read_server_name(names: "_Reader") -> str:
    # One name of one kind: others were foreseen, and never came.
    if names.number(1, "server_name") != _HOST_NAME:
        raise ClientHelloError("server_name: a name of an unknown kind")
    name = names.take(names.number(2, "server_name"), "server_name")
    names.end("server_name")
    if not _NAME.fullmatch(name):
        raise ClientHelloError(
            "server_name: a server name that is empty, too long or not printable ASCII"
        )
    return name.decode("ascii")


def _read_protocols(protocols: "_Reader") -> Iterator[bytes]:
    if not protocols.left:
        raise ClientHelloError("alpn: an empty list of protocols")
    for _ in range(MAX_PROTOCOLS):
        protocol = protocols.take(protocols.number(1, "alpn"), "alpn")
        if not protocol:
            raise ClientHelloError("alpn: a protocol without a name")
        yield protocol
        if not protocols.left:
            return
    raise ClientHelloError(f"alpn: more than {MAX_PROTOCOLS} protocols")


class _Reader:
    """Takes one thing after the other from bytes that must hold them all."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, length: int, field: str) -> bytes:
        if length > self.left:
            raise ClientHelloError(f"{field}: a length of {length} that leads past its end")
        self._at += length
        return self._data[self._at - length : self._at]

    def number(self, length: int, field: str) -> int:
        return int.from_bytes(self.take(length, field))

    def block(self, length_bytes: int, field: str) -> "_Reader":
        return _Reader(self.take(self.number(length_bytes, field), field))

    def end(self, field: str) -> None:
        if self.left:
            raise ClientHelloError(f"{field}: {self.left} bytes at its end that belong to nothing")
