"""The admin process's line to one worker."""

import socket
import time
from typing import Any

import trio

from spliceproxy.ipc.packets import MAX_PACKET_BYTES, Message, Question, decode, encode

ANSWER_TIMEOUT_S = 3.0


class NoAnswerError(Exception):
    """The worker is gone, or does not answer in time."""


class WorkerLine:
    """Asks one thing at a time."""

    def __init__(self, slot: int, sock: socket.socket) -> None:
        self.slot = slot
        self._socket = trio.socket.from_stdlib_socket(sock)
        self._turn = trio.Lock()
        # An answer to whoever had this line before is not to be taken for one of ours.
        self._number = time.monotonic_ns()

    async def ask(self, what: Question, **details: Any) -> list[Any]:
        """Return the answer, a list of whatever was asked for.

        Raises:
            NoAnswerError: there is none.
        """
        # With the wait for the turn: many who ask a worker that hangs must not wait in a row.
        with trio.move_on_after(ANSWER_TIMEOUT_S):
            async with self._turn:
                self._number += 1
                request = encode({"number": self._number, "what": what, **details})
                try:
                    await self._socket.send(request)
                    return await self._collect()
                except (OSError, trio.ClosedResourceError) as error:
                    raise NoAnswerError(f"worker {self.slot} is gone ({error})") from None
        raise NoAnswerError(f"worker {self.slot} did not answer in {ANSWER_TIMEOUT_S:g} s")

    async def _collect(self) -> list[Any]:
        found: list[Any] = []
        while True:
            answer = await self._receive()
            if answer["number"] != self._number:  # of a request that was given up
                continue
            if "error" in answer:
                raise NoAnswerError(f"worker {self.slot} failed to answer ({answer['error']})")
            found += answer["found"]
            if not answer["more"]:
                return found

    async def _receive(self) -> Message:
        packet = await self._socket.recv(MAX_PACKET_BYTES)
        if not packet:
            raise NoAnswerError(f"worker {self.slot} is gone")
        return decode(packet)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
