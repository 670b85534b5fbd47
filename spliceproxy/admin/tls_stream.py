"""A client's stream by TLS, for what is written for a socket's."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import trio

_READ_BYTES = 64 << 10
_ALERT_TIMEOUT_S = 1.0
Result = TypeVar("Result")


def is_end(error: BaseException | None) -> bool:
    """Whether the client has only closed the stream, by TLS or without a word."""
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)


class TlsStream(trio.abc.HalfCloseableStream):
    """Decrypts what comes, and encrypts what is sent, for one task that does either.

    Unlike Trio's SSLStream it sends the alert of a handshake that fails, by which a client learns
    that it has to show a certificate.
    """

    def __init__(self, stream: trio.SocketStream, context: ssl.SSLContext) -> None:
        self._stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._has_parted = False

    async def do_handshake(self) -> None:
        """Agree with the client.

        Raises:
            trio.BrokenResourceError: the client has gone, or cannot be agreed with; the cause says
                why.
        """
        await self._until_done(self._tls.do_handshake)

    def certificate(self) -> tuple[dict[str, Any], bytes] | None:
        """Return what the client has shown, as `ssl` reads it and in DER; None: nothing."""
        der = self._tls.getpeercert(binary_form=True)
        described = self._tls.getpeercert()
        return None if der is None or described is None else (described, der)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes.

        Raises:
            trio.BrokenResourceError: the client has gone.
        """
        left = memoryview(data)
        while left:
            sent = await self._until_done(partial(self._tls.write, left))
            left = left[sent:]

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for room."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive bytes, or none at the end; after `send_eof` what comes is as it is.

        Raises:
            trio.BrokenResourceError: the client has gone, or talks nonsense.
        """
        if self._has_parted:
            return await self._stream.receive_some(max_bytes)
        try:
            return await self._until_done(partial(self._tls.read, max_bytes or _READ_BYTES))
        except trio.BrokenResourceError as error:
            # HTTP has ends of its own, so that browsers close without a word (RFC 9110, 10.1).
            if is_end(error.__cause__):
                return b""
            raise

    async def send_eof(self) -> None:
        """Tell the client by TLS and by TCP that nothing follows."""
        self._has_parted = True
        with suppress(ssl.SSLError):  # it waits for the client's word, which is not needed
            self._tls.unwrap()
        await self._flush()
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close the socket."""
        await self._stream.aclose()

    async def _until_done(self, call: Callable[[], Result]) -> Result:
        await trio.lowlevel.checkpoint()
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLError as error:
                with trio.move_on_after(_ALERT_TIMEOUT_S), suppress(trio.BrokenResourceError):
                    await self._flush()
                raise trio.BrokenResourceError from error
            else:
                await self._flush()
                return result

    async def _receive(self) -> None:
        data = await self._stream.receive_some(_READ_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._stream.send_all(self._outgoing.read())
