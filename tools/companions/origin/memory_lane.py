"""Plain requests answered from memory, before anything else of HTTP has to be understood."""

import socket
import time
from dataclasses import dataclass

import trio

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import Socket
from tools.companions.origin.answer_cache import AnswerCache
from tools.companions.origin.ledger import Ledger
from tools.companions.origin.plain_request import plain_target

_RECEIVE_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Unsent:
    """An answer that the socket had no room for, as a whole or at its end."""

    target: bytes
    left: memoryview
    sent_bytes: int


class MemoryLane:
    """A connection's time between requests, which plain requests hardly interrupt.

    For a connection of which no byte is buffered elsewhere.
    """

    def __init__(
        self, sock: Socket, answers: AnswerCache, ledger: Ledger, idle_timeout_s: float
    ) -> None:
        self._sock = sock
        self._answers = answers
        self._ledger = ledger
        self._idle_timeout_s = idle_timeout_s
        self._active_s = 0.0

    async def next_bytes(self) -> bytes | Unsent:
        """Answer requests until something comes that is not for this lane, and return that.

        Nothing at the client's end, and when it was silent for too long.

        Raises:
            OSError: the client has gone.
        """
        self._active_s = time.monotonic()
        # One scope for many requests: making one costs more than recognizing a request.
        while (left_s := self._active_s + self._idle_timeout_s - time.monotonic()) > 0:
            with trio.move_on_after(left_s):
                return await self._answer_plain()
        return b""

    async def _answer_plain(self) -> bytes | Unsent:
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            try:
                received = syscalls.receive(self._sock, _RECEIVE_BYTES)
            except BlockingIOError:  # readable for nothing, such as urgent data
                continue
            target = plain_target(received)
            answer = None if target is None else self._answers.find(target)
            if target is None or answer is None:
                return received
            self._active_s = time.monotonic()
            try:
                sent_bytes = self._sock.send(answer, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                sent_bytes = 0
            if sent_bytes < len(answer):
                return Unsent(target, memoryview(answer)[sent_bytes:], sent_bytes)
            self._ledger.record_cached(target, sent_bytes, self._active_s)
