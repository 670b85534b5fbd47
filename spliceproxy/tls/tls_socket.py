"""A connected socket that speaks TLS: what is sent is encrypted, what is received is decrypted.

It is used as the socket below it is, by the same calls: `recv`, `send`, `shutdown`, `close`. So
whatever copies bytes from one socket to another knows nothing of it.
"""

import errno
import os
import select
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from spliceproxy.kernel.sockets import Socket
from spliceproxy.tls.decryption import (
    LEAST_BYTES,
    MOST_BYTES,
    RECORD_BYTES,
    Decryption,
    RecordBuffers,
)
from spliceproxy.tls.handshake_records import HandshakeRecords
from spliceproxy.tls.server_contexts import NamedConnection
from spliceproxy.tls.tls_errors import detail_of, failure_of

_MOST_UNSENT_BYTES = 64 << 10
"""Answers to a peer, such as new keys, that it does not take: 24 bytes each."""
MOST_AT_ONCE_BYTES = 7 * RECORD_BYTES
"""Encrypted before any of it is sent: all that a copying flow has read. With two calls bulk took a
tenth more CPU. OpenSSL keeps the memory, and a third more, for as long as the connection."""


class TlsSocket(Socket):
    """Takes over a connected, non-blocking socket; the handshake comes first (`advance`).

    `recv` takes whole records, so it may return more than was asked for; nothing that was received
    and decrypted is left behind for which no event would come, but for the end: see `knows_more`.
    `send` says of a record that it is sent when all of it is in the hands of the kernel. Otherwise
    it keeps the encrypted rest, and is to be called again with the same bytes, as SSL_write(3).
    """

    __slots__ = (
        "_decryption",
        "_incoming",
        "_is_agreed",
        "_is_closing",
        "_is_shut",
        "_kept",
        "_outgoing",
        "_owed_bytes",
        "_records",
        "_unsent",
        "_write_error",
        "room_wanted",
        "tls",
    )

    def __init__(
        self,
        sock: Socket,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_hostname: str | None = None,
        buffers: RecordBuffers | None = None,
    ) -> None:
        """`sock` is empty afterwards. `buffers` are those of the thread; None: ones of its own.

        Raises:
            ValueError: this is not a host name.
            ssl.SSLError: OpenSSL cannot use the context for this side.
        """
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            server_hostname=server_hostname,
        )
        """What has been agreed upon with the peer, once it has."""
        self._records = HandshakeRecords()
        self._kept = b""  # read before: see `unread`
        self._unsent = b""
        self._owed_bytes = 0  # plaintext of what is unsent, which `send` has not told of
        self._decryption = Decryption(self.tls, self._incoming, buffers or RecordBuffers())
        self._is_agreed = False
        self._is_closing = False
        self._is_shut = False
        self._write_error = 0
        self.room_wanted: Callable[[], None] = do_nothing
        """Called when something is left to be sent that no call of `send` will send."""
        super().__init__(sock.family, socket.SOCK_STREAM, 0, sock.detach())
        self.setblocking(False)

    @property
    def server_name(self) -> str | None:
        """The server name that a client has asked for, if it has, and the context takes note."""
        tls = self.tls
        return tls.server_name if isinstance(tls, NamedConnection) else None

    @property
    def unsent(self) -> bool:
        """Whether encrypted bytes wait for room at the peer."""
        return bool(self._unsent)

    @property
    def knows_more(self) -> bool:
        """Whether the next `recv` tells something for which no event comes.

        That is an end which was met behind bytes, or what was read before.
        """
        decryption = self._decryption
        return bool(self._kept) or (decryption.end is not None and not decryption.is_told)

    def unread(self, data: bytes) -> None:
        """Have the next `recv` return these bytes, before all that comes."""
        self._kept = data

    def send_before_tls(self, data: bytes) -> None:
        """Send a few bytes as they are, before the handshake.

        Raises:
            OSError: as send(2); EAGAIN also when a new connection takes less than all of them.
        """
        if super().send(data, socket.MSG_NOSIGNAL) < len(data):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def receive_before_tls(self, count: int) -> bytes:
        """Receive bytes as they are, before the handshake.

        Raises:
            OSError: as recv(2).
        """
        return super().recv(count)

    def advance(self) -> int:
        """Go on with the handshake; which events it waits for (``select.EPOLL*``), 0 when done.

        Of the peer's bytes those are taken that belong to the handshake, record by record: what
        follows stays in the socket, which tells of it.

        Raises:
            TlsError: there is no agreeing with the peer.
            OSError: as recv(2) and send(2); ECONNRESET also when the peer has closed.
        """
        if self._unsent:
            self.flush()
        is_to_begin = not (self._records.taken_bytes or self.tls.server_side)
        while not self._is_agreed and (is_to_begin or self._take_of_handshake()):
            is_to_begin = False
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                if self._outgoing.pending:
                    self.flush()  # it is the peer's turn
                    break
            except ssl.SSLError as error:
                self._send_alert()
                raise failure_of(error) from None
            else:
                self.flush()
                self._is_agreed = True
        if self._is_agreed:
            return 0
        return select.EPOLLIN | select.EPOLLOUT if self._unsent else select.EPOLLIN

    def _take_of_handshake(self) -> bool:
        """Take the rest of a record, or a part of what cannot be one; False: more is to come."""
        records = self._records
        while True:
            try:
                data = super().recv(records.wanted_bytes)
            except BlockingIOError:
                return False
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "closed before the handshake was done")
            is_to_be_read = records.take(data)
            self._incoming.write(data)
            if is_to_be_read:
                return True

    def _send_alert(self) -> None:
        """Tell the peer what is wrong, if it can be told now."""
        with suppress(OSError):
            self.flush()

    def recv(self, count: int, flags: int = 0) -> bytes:
        """Return about `count` bytes, and up to a record more; empty when the peer is done.

        Raises:
            BlockingIOError: there is nothing yet, or a part of a record.
            OSError: as recv(2); ENODATA when the end is none that the peer has said, EBADMSG when
                what has come was changed, or never was TLS.
        """
        if self._kept:
            data, self._kept = self._kept, b""
            return data
        decryption = self._decryption
        if decryption.end is not None:
            return decryption.tell_end(self._write_error)
        wanted = min(max(count, LEAST_BYTES), MOST_BYTES)
        data = decryption.take(super().recv_into(decryption.room(), wanted, flags))
        if self._outgoing.pending:
            self._answer()
        if data:
            return data
        if not self.knows_more:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return decryption.tell_end(self._write_error)

    def _answer(self) -> None:
        """Send what OpenSSL has to say to what it has read: other keys, an alert."""
        try:
            if not self.flush():
                self.room_wanted()
        except OSError:  # reading, or the next write, tells what is wrong
            return
        if len(self._unsent) > _MOST_UNSENT_BYTES:
            self._decryption.break_off("takes no answers")

    def send(self, data: "bytes | memoryview", flags: int = 0) -> int:  # type: ignore[override]  # typeshed: an address, too
        """Encrypt and send; how many bytes are in the hands of the kernel.

        Raises:
            BlockingIOError: the kernel has not taken all of the first record.
            OSError: as send(2).
        """
        if self._unsent and not self.flush(flags):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        done, self._owed_bytes = self._owed_bytes, 0
        size = len(data)
        if not done and 0 < size <= MOST_AT_ONCE_BYTES:  # nearly always
            done = self._send_encrypted(data, flags)
        else:
            with memoryview(data) as view:
                while done < size and not self._owed_bytes:
                    with view[done : done + MOST_AT_ONCE_BYTES] as piece:
                        done += self._send_encrypted(piece, flags)
        if not done:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return done

    def _send_encrypted(self, data: bytes | memoryview, flags: int) -> int:
        """Send as few records as possible, all at once; how many bytes of whole ones are sent."""
        self._encrypt(data)
        encrypted, size = self._outgoing.pending, len(data)
        if self.flush(flags):
            return size
        records = -(-size // RECORD_BYTES)
        record = RECORD_BYTES + (encrypted - size) // records
        sent = (encrypted - len(self._unsent)) // record * RECORD_BYTES
        self._owed_bytes = size - sent
        return sent

    def _encrypt(self, piece: bytes | memoryview) -> None:
        try:
            self.tls.write(piece)
        except ssl.SSLError as error:
            raise OSError(errno.EBADMSG, detail_of(error)) from None

    def flush(self, flags: int = socket.MSG_NOSIGNAL) -> bool:
        """Send what is encrypted; whether the kernel has all of it.

        Raises:
            OSError: as send(2), but for EAGAIN.
        """
        if self._outgoing.pending:
            encrypted = self._outgoing.read()
            self._unsent = self._unsent + encrypted if self._unsent else encrypted
        if self._unsent:
            try:
                count = super().send(self._unsent, flags)
            except BlockingIOError:
                return False
            except OSError as error:
                self._unsent, self._write_error = b"", error.errno or 0
                raise
            self._unsent = self._unsent[count:]
        return not self._unsent

    def go_on(self) -> None:
        """Send what waits for room: there is some now."""
        if self._is_closing:
            self.say_goodbye()
        else:
            self.flush()

    def shutdown(self, how: int) -> None:
        """End the stream to the peer, whatever it goes on sending; `how` is SHUT_WR.

        Raises:
            OSError: as send(2) and shutdown(2).
        """
        if not self.say_goodbye():
            self.room_wanted()

    def say_goodbye(self) -> bool:
        """End the stream in a close_notify and a FIN; False: they wait for room.

        Raises:
            OSError: as send(2) and shutdown(2).
        """
        if not self._is_closing:
            self._is_closing = True
            self._decryption.goodbye_said()
            unread = self._incoming.read()  # which unwrap would look at
            with suppress(ssl.SSLError):  # WANT_READ: it is said; else nobody is there to hear it
                self.tls.unwrap()
            if unread:
                self._incoming.write(unread)
        if not self.flush():
            return False
        if not self._is_shut:
            self._is_shut = True
            super().shutdown(socket.SHUT_WR)
        return True


def do_nothing() -> None:
    """Want nothing of whoever watches the socket."""
