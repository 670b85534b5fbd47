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
MOST_BYTES = 64 << 10
_MOST_RECORDS = 64
"""At once, and without bytes in them. An event's worth of bulk is four to seventeen records."""


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
        self.end: StreamEnd | None = None
        """How the stream has ended, once it has."""
        self.is_told = False
        """Whether somebody has heard of the end."""

    def room(self) -> memoryview:
        """Return where to receive `MOST_BYTES` at most; `take` is to follow at once."""
        held = len(self._held)
        self._encrypted[:held] = self._held
        return self._encrypted[held:]

    def take(self, received: int) -> bytes:
        """Decrypt so many bytes that were received; 0: the peer has closed.

        What is returned is empty when no record is whole, or the end was met, or both.
        """
        if received:
            size = self._take_records(self._find_records(len(self._held) + received))
        else:
            self._incoming.write_eof()
            size = self._decrypt(0)
        return bytes(self._decrypted[:size])

    def _find_records(self, count: int) -> list[int]:
        """Return where the records of what was received end; a header that is cut off is held."""
        at = self._skip_bytes
        ends = [at] if at else []
        while at + HEADER_BYTES <= count:
            at += HEADER_BYTES + (self._encrypted[at + 3] << 8 | self._encrypted[at + 4])
            ends.append(at)
        if at >= count:
            self._skip_bytes, self._held = at - count, b""
            ends[-1:] = [count]
        else:
            self._skip_bytes, self._held = 0, bytes(self._encrypted[at:count])
        return ends

    def _take_records(self, ends: list[int]) -> int:
        """Decrypt what was received; how many bytes.

        Many records are taken one by one, for what OpenSSL answers by itself, such as a request
        for other keys, costs it 20 us and no more than 27 bytes of the peer: an event's worth of
        them would hold up everybody else for 50 ms.
        """
        if len(ends) <= _MOST_RECORDS:
            self._incoming.write(self._encrypted[: ends[-1] if ends else 0])
            return self._decrypt(0)
        size = start = without_bytes = 0
        for end in ends:
            self._incoming.write(self._encrypted[start:end])
            before, size, start = size, self._decrypt(size), end
            without_bytes += size == before
            if without_bytes > _MOST_RECORDS:
                self.break_off("too many records without bytes")
            if self.end is not None:
                break
        return size

    def _decrypt(self, size: int) -> int:
        """Decrypt all records that are whole, behind what is there; how many bytes there are then.

        The end is noted if one is met.
        """
        read = self._tls.read
        try:
            while count := read(RECORD_BYTES, self._decrypted[size:]):
                size += int(count)
            self.end = StreamEnd.CLEAN
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # as 0, after a goodbye of ours
            self.end = StreamEnd.CLEAN
        except ssl.SSLEOFError:
            self.end = StreamEnd.TRUNCATED
        except ssl.SSLError as error:
            self.break_off(detail_of(error))
        return size

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
        if self.end is StreamEnd.TRUNCATED:
            raise OSError(errno.ENODATA, "the peer has closed without a close_notify")
        if self.end is StreamEnd.BROKEN:
            raise OSError(errno.EBADMSG, self._why)
        return b""
