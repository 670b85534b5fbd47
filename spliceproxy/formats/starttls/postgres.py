"""PostgreSQL: a request for TLS, and one letter in answer.

https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

import struct

from spliceproxy import reasons
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.starttls.negotiation import StartTlsError, Then, Turn, refuse_more

ALPN = "postgresql"
"""What clients ask for that begin with TLS at once (`sslnegotiation=direct`, since version 17)."""

_TLS_HANDSHAKE = 0x16
_HEAD = struct.Struct("!II")
_CANCEL, _SSL, _GSS = 80877102, 80877103, 80877104
_SSL_REQUEST = _HEAD.pack(8, _SSL)
_MOST_STARTUP_BYTES = 10_000  # MAX_STARTUP_PACKET_LENGTH in PostgreSQL's pqcomm.h
_CANCEL_HEAD_BYTES = 12
_MOST_KEY_BYTES = 256  # of a cancel request, since version 18; 4 before
_VERSION_3 = 3
_NO_TLS = "this address takes connections by TLS only: expected sslmode=require or verify-full"


class PostgresServerSide:
    """Lets the client of a database ask for TLS, or begin with it."""

    __slots__ = ("_gss_refused",)
    greeting = b""

    def __init__(self) -> None:
        self._gss_refused = False

    def begin(self) -> bytes:
        """Say nothing: the client begins."""
        return b""

    def read(self, data: bytes) -> NeedMore | Turn:
        """Answer the client's first packets.

        Raises:
            StartTlsError: it goes on without TLS, or speaks something else.
        """
        if data[:1] and data[0] == _TLS_HANDSHAKE and not self._gss_refused:
            # What protocol a stranger means by it is to be agreed on, or another one's messages
            # could be led here (https://alpaca-attack.com).
            return Turn(0, then=Then.TLS, alpn=ALPN)
        if data[:2].strip(b"\0"):  # too long a packet: nothing that begins so is PostgreSQL's
            raise StartTlsError(reasons.BAD_STARTTLS, "no packet of PostgreSQL's")
        if len(data) < _HEAD.size:
            return NeedMore(_HEAD.size)
        length, code = _HEAD.unpack_from(data)
        if code == _CANCEL:
            return _pass_cancel(data, length)
        if length == _HEAD.size and code == _SSL:
            refuse_more(data, _HEAD.size, reasons.PLAINTEXT_BEFORE_TLS)
            return Turn(_HEAD.size, b"S", Then.TLS)
        if length == _HEAD.size and code == _GSS and not self._gss_refused:
            refuse_more(data, _HEAD.size, reasons.PLAINTEXT_BEFORE_TLS)
            self._gss_refused = True
            return Turn(_HEAD.size, b"N")
        if _HEAD.size <= length <= _MOST_STARTUP_BYTES and code >> 16 == _VERSION_3:
            raise StartTlsError(reasons.NO_STARTTLS, "a login without TLS", _error(_NO_TLS))
        raise StartTlsError(reasons.BAD_STARTTLS, f"a packet of {length} bytes with code {code}")


class PostgresClientSide:
    """Asks a database for TLS."""

    __slots__ = ()
    greeting = b""

    def begin(self) -> bytes:
        """Ask."""
        return _SSL_REQUEST

    def read(self, data: bytes) -> NeedMore | Turn:
        """Read the answer.

        Raises:
            StartTlsError: it is not yes.
        """
        if not data:
            return NeedMore(1)
        if data[:1] == b"N":
            raise StartTlsError(reasons.BACKEND_WITHOUT_TLS, "it has TLS switched off (ssl = on)")
        if data[:1] != b"S":
            # The text of an error that comes without TLS may be anybody's (CVE-2024-10977).
            what = "an error" if data[:1] == b"E" else f"byte 0x{data[0]:02x}"
            raise StartTlsError(reasons.BACKEND_BAD_STARTTLS, f"{what} in answer to SSLRequest")
        refuse_more(data, 1, reasons.BACKEND_PLAINTEXT_BEFORE_TLS)
        return Turn(1, then=Then.TLS)


def _pass_cancel(data: bytes, length: int) -> NeedMore | Turn:
    """Let a request to cancel a query pass; its key is worth no more than that.

    libpq sends it without TLS on a connection of its own, up to version 16 always (PQcancel);
    servers take it so whatever they ask of logins, and close.
    """
    if not _CANCEL_HEAD_BYTES < length <= _CANCEL_HEAD_BYTES + _MOST_KEY_BYTES:
        raise StartTlsError(reasons.BAD_STARTTLS, f"a request to cancel of {length} bytes")
    if len(data) < length:
        return NeedMore(length)
    refuse_more(data, length, reasons.PLAINTEXT_BEFORE_TLS)
    return Turn(0, then=Then.PLAIN)


def _error(text: str) -> bytes:
    """Return an ErrorResponse, which clients print; 28000: invalid_authorization_specification."""
    fields = b"".join(
        kind + value.encode() + b"\0"
        for kind, value in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", "28000"), (b"M", text))
    )
    return b"E" + struct.pack("!I", 4 + len(fields) + 1) + fields + b"\0"
