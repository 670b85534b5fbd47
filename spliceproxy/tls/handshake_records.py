"""How much of what a peer sends belongs to the handshake: sans-IO, record by record.

What is behind the last record of a handshake stays in the socket, which tells of it.
"""

from spliceproxy.tls.decryption import HEADER_BYTES, LEAST_BYTES, RECORD_BYTES
from spliceproxy.tls.tls_errors import FAILED, TlsError

_MAJOR_VERSION = 3  # of every record of all versions (RFC 8446, section 5.1)
MOST_HANDSHAKE_BYTES = 128 << 10
"""Of a peer; with the chains of certificates that OpenSSL takes, of 100 KiB (max_cert_list)."""


class HandshakeRecords:
    """Knows where in a record the peer is."""

    __slots__ = ("_record", "taken_bytes")

    def __init__(self) -> None:
        self._record = bytearray()  # the one that is being read
        self.taken_bytes = 0
        """Of the whole handshake."""

    @property
    def wanted_bytes(self) -> int:
        """How many bytes to ask the socket for: no more than the record, or its header, lacks."""
        record = self._record
        wanted = HEADER_BYTES - len(record)
        if wanted <= 0:
            wanted += int.from_bytes(record[3:5], "big")
        return min(max(wanted, 1), LEAST_BYTES)

    def take(self, data: bytes) -> bool:
        """Note bytes that have come; whether OpenSSL is to look at them.

        It is when a record is whole, or can be none: OpenSSL says what is wrong with it.

        Raises:
            TlsError: the handshake is too long.
        """
        self.taken_bytes += len(data)
        if self.taken_bytes > MOST_HANDSHAKE_BYTES:
            raise TlsError(FAILED, "its handshake is too long")
        record = self._record
        record += data
        if len(record) < HEADER_BYTES:
            return False
        length = int.from_bytes(record[3:5], "big")
        if len(record) == HEADER_BYTES + length:
            record.clear()
            return True
        return record[1] != _MAJOR_VERSION or length > RECORD_BYTES
