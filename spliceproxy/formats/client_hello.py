"""What a TLS client says before anything is encrypted: the server's name and the protocols."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from spliceproxy.formats.need_more import NeedMore

MAX_BYTES = 16 * 1024
"""Of the beginning of a connection; hellos with post-quantum keys have 2 KiB."""
MAX_RECORDS = 64
"""A hello in as many pieces is no browser's, and each look at it would take long."""

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN = 0, 16  # extensions: RFC 6066, RFC 7301
_HOST_NAME = 0
_RECORD_HEAD_BYTES, _MESSAGE_HEAD_BYTES = 5, 4
_MAX_FRAGMENT_BYTES = 1 << 14
_NAME = re.compile(rb"[!-~]{1,255}")  # printable: it goes to the log


class ClientHelloError(ValueError):
    """What began like TLS goes on in a way that is not; the text says how."""


class NotTlsError(ClientHelloError):
    """The connection does not begin with a TLS handshake."""


@dataclass(frozen=True, slots=True)
class ClientHello:
    """Both as the client wrote them, and as it pleases the client."""

    server_name: str | None = None
    alpn: tuple[bytes, ...] = ()


def parse_client_hello(data: bytes) -> ClientHello | NeedMore:
    """Read the hello that a connection begins with, given what has come of it so far.

    Raises:
        NotTlsError: it begins with something else.
        ClientHelloError: it is malformed or too long.
    """
    message = _join_records(data)
    if isinstance(message, NeedMore):
        return message
    body = _Reader(message)
    body.take(2 + 32)  # version, random
    body.take(body.number(1))  # session
    body.take(body.number(2))  # cipher suites
    body.take(body.number(1))  # compression methods
    hello = _read_extensions(body.block(2)) if body.left else ClientHello()
    body.end()
    return hello


def _join_records(data: bytes) -> bytes | NeedMore:
    """Return the hello without its head, out of as many records as it takes."""
    message = b""
    at = 0
    for _ in range(MAX_RECORDS):
        head = data[at : at + _RECORD_HEAD_BYTES]
        _check_record(head, NotTlsError if at == 0 else ClientHelloError)
        start = at + _RECORD_HEAD_BYTES
        if len(data) < start:
            return NeedMore(start)
        at = start + int.from_bytes(head[3:])
        message += data[start:at]
        missing = _message_bytes(message) - len(message)
        if missing <= 0:
            return message[_MESSAGE_HEAD_BYTES : len(message) + missing]
        needed = min(at, len(data) + missing)
        if max(needed, start + missing) > MAX_BYTES:
            break
        if needed > len(data):
            return NeedMore(needed)
    raise ClientHelloError(f"a hello of more than {MAX_BYTES} bytes or {MAX_RECORDS} records")


def _check_record(head: bytes, error: type[ClientHelloError]) -> None:
    if head[:1] not in (b"", bytes([_HANDSHAKE])) or head[1:2] not in (b"", b"\x03"):
        raise error("not a TLS handshake record")
    if len(head) == _RECORD_HEAD_BYTES:
        length = int.from_bytes(head[3:])
        if not 0 < length <= _MAX_FRAGMENT_BYTES:
            raise error(f"a TLS handshake record of {length} bytes")


def _message_bytes(message: bytes) -> int:
    if message and message[0] != _CLIENT_HELLO:
        raise ClientHelloError(f"handshake message {message[0]} instead of a hello")
    if len(message) < _MESSAGE_HEAD_BYTES:
        return _MESSAGE_HEAD_BYTES
    return _MESSAGE_HEAD_BYTES + int.from_bytes(message[1:_MESSAGE_HEAD_BYTES])


def _read_extensions(extensions: "_Reader") -> ClientHello:
    server_name: str | None = None
    alpn: tuple[bytes, ...] = ()
    seen = set()
    while extensions.left:
        kind, extension = extensions.number(2), extensions.block(2)
        if kind in seen:
            raise ClientHelloError(f"extension {kind} twice")
        seen.add(kind)
        if kind == _SERVER_NAME:
            server_name = _read_server_name(extension.block(2))
            extension.end()
        elif kind == _ALPN:
            alpn = tuple(_read_protocols(extension.block(2)))
            extension.end()
    return ClientHello(server_name, alpn)


def _read_server_name(names: "_Reader") -> str:
    # One name of one kind: others were foreseen, and never came.
    if names.number(1) != _HOST_NAME:
        raise ClientHelloError("a server name of an unknown kind")
    name = names.take(names.number(2))
    names.end()
    if not _NAME.fullmatch(name):
        raise ClientHelloError("a server name that is empty, too long or not printable ASCII")
    return name.decode("ascii")


def _read_protocols(protocols: "_Reader") -> Iterator[bytes]:
    if not protocols.left:
        raise ClientHelloError("an empty list of protocols")
    while protocols.left:
        protocol = protocols.take(protocols.number(1))
        if not protocol:
            raise ClientHelloError("a protocol without a name")
        yield protocol


class _Reader:
    """Takes one thing after the other from bytes that must hold them all."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise ClientHelloError("a hello with a length that leads past its end")
        self._at += length
        return self._data[self._at - length : self._at]

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length))

    def block(self, length_bytes: int) -> "_Reader":
        return _Reader(self.take(self.number(length_bytes)))

    def end(self) -> None:
        if self.left:
            raise ClientHelloError("a hello with bytes that belong to nothing")
