"""What a peer has sent by TLS, decrypted record by record, up to its end."""

import errno
import os
import ssl
from enum import Enum, auto

from spliceproxy.tls.tls_errors import detail_of

RECORD_BYTES = 16 << 10
"""Plaintext of one record, at most (RFC 8446, section 5.1)."""
HEADER_BYTES = 5
LEAST_BYTES = RECORD_BYTES + 1024
"""What the socket is asked for at least: a record can be decrypted only as a whole."""
MOST_BYTES = 128 << 10
_MOST_RECORDS = 64
"""Of one event, and without bytes in them."""


class RecordBuffers:
    """What the sockets of one thread receive and decrypt into: each call leaves it empty.

    What is decrypted is no longer than what was encrypted, of which a part may have been here
    before.
    """

    __slots__ = ("decrypted", "encrypted")

    def __init__(self) -> None:
        self.encrypted = memoryview(bytearray(MOST_BYTES + HEADER_BYTES))
        self.decrypted = memoryview(bytearray(MOST_BYTES + 3 * LEAST_BYTES))


class StreamEnd(Enum):
    """How the peer's stream has ended."""

    CLEAN = auto()
    """In a close_notify."""
    TRUNCATED = auto()
    """In a FIN without one: anybody in between can make that."""
    BROKEN = auto()
    """In what is no TLS, or has been changed on its way."""


class Decryption:
    """Decrypts what was received into `room`; all of it at once, so that no event is missed."""

    __slots__ = (
        "_decrypted",
        "_encrypted",
        "_held",
        "_incoming",
        "_is_answer",
        "_skip_bytes",
        "_tls",
        "_why",
        "end",
        "is_told",
    )

    def __init__(self, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, buffers: RecordBuffers) -> None:
        self._encrypted, self._decrypted = buffers.encrypted, buffers.decrypted
        self._tls = tls
        self._incoming = incoming
        self._skip_bytes = 0  # of the record that was received in part
        self._held = b""  # a part of the next one's header
        self._why = ""
        self._is_answer = False  # what comes now is the peer's answer to a goodbye
        self.end: StreamEnd | None = None
        """How the stream has ended, once it has."""
        self.is_told = False
        """Whether somebody has heard of the end."""

    def room(self) -> memoryview:
        """Return where to receive `MOST_BYTES` at most; `take` is to follow at once."""
        if not self._held:
            return self._encrypted
        held = len(self._held)
        self._encrypted[:held] = self._held
        return self._encrypted[held:]

    def take(self, received: int) -> bytes:
        """Decrypt so many bytes that were received; 0: the peer has closed.

        What is returned is empty when no record is whole, or the end was met, or both.
        """
        if not received:
            # OpenSSL is not asked: it has read all that came before, and Python 3.11.2, for one,
            # has it take any end for one that was said (SSL_OP_IGNORE_UNEXPECTED_EOF).
            self.end = StreamEnd.TRUNCATED
            return b""
        count = len(self._held) + received
        self._is_answer = False
        if count == self._end_of_record(0, count):  # most messages
            self._skip_bytes, self._held = 0, b""
            self._incoming.write(self._encrypted[:count])
            return self._read()
        return bytes(self._decrypted[: self._take_records(count)])

    def _end_of_record(self, start: int, count: int) -> int:
        """Return where the record there ends; 0: its header is cut off."""
        if start == 0 and self._skip_bytes:
            return self._skip_bytes
        if start + HEADER_BYTES > count:
            return 0
        return start + HEADER_BYTES + (self._encrypted[start + 3] << 8 | self._encrypted[start + 4])

    def _take_records(self, count: int) -> int:
        """Decrypt what was received, and hold a header that is cut off; how many bytes.

        Records are taken one by one, so that OpenSSL's memory is that of a single one. What it
        answers by itself, such as a request for other keys, costs it 20 us and no more than 27
        bytes of the peer: an event's worth of them would hold up everybody else for 50 ms.
        """
        size = start = without_bytes = 0
        while start < count and self.end is None:
            end = self._end_of_record(start, count)
            if not end:
                break
            self._incoming.write(self._encrypted[start : min(end, count)])
            self._skip_bytes, start = max(end - count, 0), end
            taken = self._read_into(size)  # of a part, too: its header may be none
            size += taken
            without_bytes += not taken
            if without_bytes > _MOST_RECORDS:
                self.break_off("too many records without bytes")
        self._held = bytes(self._encrypted[start:count])
        return size

    def _read(self) -> bytes:
        """Return what the one record has that was written last, or note how the stream ends."""
        try:
            data = self._tls.read(RECORD_BYTES)
        except ssl.SSLError as error:
            self._note(error)
            return b""
        if not data:
            self.end = StreamEnd.CLEAN
        return data

    def _read_into(self, start: int) -> int:
        """As `_read`, behind what is decrypted; how many bytes."""
        try:
            count = self._tls.read(RECORD_BYTES, self._decrypted[start:])
        except ssl.SSLError as error:
            self._note(error)
            return 0
        if not count:
            self.end = StreamEnd.CLEAN
        return int(count)

    def _note(self, error: ssl.SSLError) -> None:
        if isinstance(error, ssl.SSLWantReadError):
            return
        if isinstance(error, ssl.SSLZeroReturnError):  # as nothing, after a goodbye of ours
            self.end = StreamEnd.CLEAN
        else:
            self.break_off(detail_of(error))

    def goodbye_said(self) -> None:
        """Take a bare FIN for an end, if it is the next that comes and no record is cut by it.

        Many answer a close_notify so, for RFC 5246 (7.2.1) lets nothing follow it.
        """
        self._is_answer = not (self.end or self._skip_bytes or self._held)

    def break_off(self, why: str) -> None:
        """Take nothing more, unless there is an end already."""
        if self.end is None:
            self.end, self._why = StreamEnd.BROKEN, why

    def tell_end(self, write_error: int) -> bytes:
        """Return nothing when the stream is complete; `write_error` is an errno met meanwhile.

        Raises:
            OSError: it is not; see `TlsSocket.recv`.
        """
        self.is_told = True
        if self.end is StreamEnd.TRUNCATED and write_error:
            # Whoever is told of a reset first takes it away: the read sees an end of stream then.
            raise OSError(write_error, os.strerror(write_error))
        if self.end is StreamEnd.TRUNCATED and not self._is_answer:
            raise OSError(errno.ENODATA, "the peer has closed without a close_notify")
        if self.end is StreamEnd.BROKEN:
            raise OSError(errno.EBADMSG, self._why)
        return b""
