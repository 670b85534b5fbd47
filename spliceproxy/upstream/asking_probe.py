"""What a check says before TLS, where TLS begins in the middle of a protocol."""

import errno
import os

import trio

from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.starttls.negotiation import MAX_BYTES, Negotiation, Then
from spliceproxy.tls.tls_socket import TlsSocket


async def ask_for_tls(sock: TlsSocket, negotiation: Negotiation) -> None:
    """Come to TLS; what the backend greets with is the first that is received then.

    Nothing of the backend's is taken out too early: behind its consent it waits for the hello.

    Raises:
        StartTlsError: the backend does not come to TLS.
        OSError: as recv(2) and send(2); ECONNRESET also when the backend has closed.
    """
    sock.send_before_tls(negotiation.begin())
    received, then = b"", Then.MORE
    while then is Then.MORE:
        received += await _receive(sock)
        answer = negotiation.read(received)
        if not isinstance(answer, NeedMore):
            received, then = received[answer.take :], answer.then
            sock.send_before_tls(answer.say)
    sock.unread(negotiation.greeting)


async def _receive(sock: TlsSocket) -> bytes:
    while True:
        try:
            data = sock.receive_before_tls(MAX_BYTES)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(sock.fileno())
            continue
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        return data
