"""One connection that a range is sent over, and a true account of it."""

import socket
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import trio

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import finish_cleanly, prepare_stream
from spliceproxy.settings.address import TcpAddress
from tools.companions.shared.segments import corked, data_segments
from tools.companions.shared.serving import own_socket
from tools.companions.techniques.sender import FileSender, FileShrunkError

TURN_BYTES = 4 << 20
"""Sent at most before others have their turn: the progress bar, other streams, Ctrl-C."""

LOOK_INTERVAL_S = 0.005  # the kernel has no event for "all acknowledged"
DROP_BYTES = 1 << 20


@dataclass
class Account:
    """What has become of a range: what the socket took, and how much the peer has for certain."""

    offset: int
    length: int
    taken_bytes: int = 0
    acknowledged_bytes: int = 0
    returned_bytes: int = 0
    segments: int = 0
    """With data, sent again ones included."""
    problem: str = "interrupted"
    """Empty when all has been acknowledged."""


@dataclass(frozen=True)
class Limits:
    """How much at a time, how long nothing at all may happen, whether the peer ends it, a cork."""

    chunk_bytes: int
    timeout_s: float
    until_closed: bool
    cork: bool = False


async def send_range(
    target: TcpAddress, sender: FileSender, account: Account, limits: Limits
) -> None:
    """Send what a sender has left over a connection of its own; the account says what came of it.

    The connection ends in a FIN when all is acknowledged, and in a reset otherwise.
    """
    try:
        with trio.fail_after(limits.timeout_s):
            stream = await trio.open_tcp_stream(target.host or "localhost", target.port)
    except trio.TooSlowError:
        account.problem = f"no connection within {limits.timeout_s:g} s"
    except OSError as error:
        account.problem = error.strerror or str(error)
    else:
        with own_socket(stream) as sock:
            prepare_stream(sock, 0.0)
            await _Sending(sock, sender, account, limits).run()


class _Sending:
    """A connected socket, and its two directions."""

    def __init__(
        self, sock: socket.socket, sender: FileSender, account: Account, limits: Limits
    ) -> None:
        self._sock = sock
        self._sender = sender
        self._account = account
        self._limits = limits
        self._fin_bytes = 0
        self._peer_has_closed = False
        self._error: OSError | None = None

    async def run(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._drop_returned)
                self._account.problem = await self._send()
                nursery.cancel_scope.cancel()
        finally:
            self._account.segments = data_segments(self._sock)
            self._account.acknowledged_bytes = self._account.taken_bytes - self._outstanding_bytes()

    async def _send(self) -> str:
        """Send everything; what kept it from being complete, or ""."""
        try:
            with corked(self._sock) if self._limits.cork else nullcontext():
                await self._push()
            self._sock.shutdown(socket.SHUT_WR)
            self._fin_bytes = 1
            await self._until(self._all_is_acknowledged, self._outstanding_bytes)
            if self._limits.until_closed:
                await self._until(
                    lambda: self._peer_has_closed, lambda: self._account.returned_bytes
                )
        except trio.TooSlowError:
            return f"no progress within {self._limits.timeout_s:g} s"
        except FileShrunkError as error:
            return str(error)
        except OSError as error:
            # The receiving side is told of a reset first; this one then sees a broken pipe.
            return str((self._error or error).strerror)
        finish_cleanly(self._sock)
        return ""

    async def _push(self) -> None:
        while self._sender.left_bytes:
            try:
                self._send_turn()
            except BlockingIOError:
                with trio.fail_after(self._limits.timeout_s):
                    await trio.lowlevel.wait_writable(self._sock)
            else:
                await trio.lowlevel.checkpoint()

    def _send_turn(self) -> None:
        turn_bytes = 0
        while self._sender.left_bytes and turn_bytes < TURN_BYTES:
            taken = self._sender.send_some(self._sock, self._limits.chunk_bytes)
            turn_bytes += taken
            self._account.taken_bytes += taken

    async def _drop_returned(self) -> None:
        """Take what comes back, so that a peer that echoes is not held up; only count it."""
        untouched = bytearray(DROP_BYTES)
        try:
            while True:
                await trio.lowlevel.wait_readable(self._sock)
                try:
                    count = self._sock.recv_into(untouched, 0, socket.MSG_TRUNC)
                except BlockingIOError:
                    continue
                if not count:
                    break
                self._account.returned_bytes += count
        except OSError as error:
            self._error = error
        self._peer_has_closed = True

    async def _until(self, is_done: Callable[[], bool], measure: Callable[[], int]) -> None:
        """Look every few milliseconds; TooSlowError when nothing changes for the time allowed."""
        latest = measure()
        deadline_s = trio.current_time() + self._limits.timeout_s
        while not is_done():
            if self._error:
                raise self._error
            if (now := measure()) != latest:
                latest, deadline_s = now, trio.current_time() + self._limits.timeout_s
            elif trio.current_time() > deadline_s:
                raise trio.TooSlowError
            await trio.sleep(LOOK_INTERVAL_S)

    def _all_is_acknowledged(self) -> bool:
        return syscalls.unacknowledged_bytes(self._sock) == 0

    def _outstanding_bytes(self) -> int:
        # A FIN takes a number of its own in the sequence, and stands behind all bytes.
        return max(0, syscalls.unacknowledged_bytes(self._sock) - self._fin_bytes)
