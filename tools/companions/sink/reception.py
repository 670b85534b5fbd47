"""The story of one stream that is swallowed: how fast, how far, and how it ends."""

import os
import socket
import time
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

import trio

from spliceproxy.kernel.sockets import finish_cleanly, pending_error
from tools.companions.shared.pace import Pace
from tools.companions.sink.receivers import Receiver

PIECE_BYTES = 1 << 20
LOOK_INTERVAL_S = 0.2  # at a stalled stream, to see whether its peer has given up


@dataclass(frozen=True)
class Behaviour:
    """How a stream is treated; None leaves a thing out."""

    bytes_per_s: int | None = None
    stall_after_bytes: int | None = None
    reset_after_bytes: int | None = None
    idle_timeout_s: float = 300.0

    def piece_bytes(self, received_bytes: int) -> int:
        """The most that may be taken now: never across a point where something is to happen."""
        points = (self.stall_after_bytes, self.reset_after_bytes)
        ahead = [point - received_bytes for point in points if point is not None]
        return min([PIECE_BYTES, *(distance for distance in ahead if distance > 0)])


@dataclass
class Reception:
    """A stream, and what is known of it so far."""

    sock: socket.socket
    receiver: Receiver
    behaviour: Behaviour
    received_bytes: int = 0
    end: str = "stopped"
    started_s: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Swallow the stream; `end` says afterwards what ended it."""
        try:
            self.end = await self._swallow()
        except trio.TooSlowError:
            self.end = "idle"
        except OSError as error:
            self.end = error.strerror or str(error)

    async def _swallow(self) -> str:
        behaviour = self.behaviour
        pace = Pace(behaviour.bytes_per_s) if behaviour.bytes_per_s else None
        while True:
            if self.received_bytes == behaviour.reset_after_bytes:
                return "reset by the sink"
            if self.received_bytes == behaviour.stall_after_bytes:
                await self._stall()
            limit_bytes = behaviour.piece_bytes(self.received_bytes)
            count = await self._receive(min(limit_bytes, pace.piece_bytes if pace else limit_bytes))
            if not count:
                finish_cleanly(self.sock)
                return "closed"
            self.received_bytes += count
            if pace:
                await pace.wait(count)

    async def _receive(self, limit_bytes: int) -> int:
        step = partial(self.receiver.receive_some, self.sock, limit_bytes)
        with trio.fail_after(self.behaviour.idle_timeout_s):
            while True:
                await trio.lowlevel.wait_readable(self.sock)
                try:
                    if self.receiver.may_block:
                        return await trio.to_thread.run_sync(step)
                    return step()
                except BlockingIOError:  # readable for nothing: select(2), under BUGS
                    continue

    async def _stall(self) -> NoReturn:
        """Read no more, and keep the socket until its peer gives it up."""
        while True:
            if error := pending_error(self.sock):
                raise OSError(error, os.strerror(error))
            await trio.sleep(LOOK_INTERVAL_S)
