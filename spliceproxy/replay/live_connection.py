"""One connection to the target: sends as it is told, and reads whatever comes."""

import errno
import socket
from typing import TYPE_CHECKING

import trio

from spliceproxy.kernel.sockets import undelivered_bytes
from spliceproxy.loop.timers import TimerWheel
from spliceproxy.replay.live_values import AnswerValues
from spliceproxy.replay.readable_sockets import ReadableSockets
from spliceproxy.replay.replay_target import PlayFailedError

if TYPE_CHECKING:
    from spliceproxy.replay.replayed_copy import ReplayedCopy

_READ_BYTES = 64 << 10
_LOOK_AGAIN_S = 0.010  # a peer may hold back its acknowledgement for 40 ms (delayed ACK)
_RESET_AT_CLOSE = b"\x01\0\0\0\0\0\0\0"  # struct linger: on, 0 s (socket(7))


class LiveConnection:
    """Answers come whatever the player is about, until they end or it is closed."""

    def __init__(
        self,
        sock: socket.socket,
        readable: ReadableSockets,
        deadlines: TimerWheel,
        stall_timeout_s: float,
        copy: "ReplayedCopy | None",
        values: AnswerValues | None = None,
    ) -> None:
        self.received_bytes = 0
        self.sent_bytes = 0
        self.end = ""
        """How the answers ended: ``end`` or ``reset``; empty: they have not."""
        self.has_finished = False
        self._sock = sock
        self._readable = readable
        self._deadlines = deadlines
        self._stall_timeout_s = stall_timeout_s
        self._copy = copy
        self._values = values
        self._waiting: trio.lowlevel.Task | None = None  # for news
        self._is_silent = False
        readable.watch(sock.fileno(), self._receive)

    def _receive(self) -> None:
        """Read and count answers that have come."""
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # ECONNRESET, or ETIMEDOUT of a peer that has gone
            self._ended("reset")
            return
        if not data:
            self._ended("end")
            return
        self.received_bytes += len(data)
        if self._copy is not None:
            self._copy.received(data)
        if self._values is not None:
            self._values.received(data)
        self._tell()

    def _ended(self, how: str) -> None:
        self.end = how
        self._readable.forget(self._sock.fileno())
        if self._values is not None:
            self._values.settle()
        if self._copy is not None:
            self._copy.ended("response", is_reset=how == "reset")
        self._tell()

    def _tell(self) -> None:
        task, self._waiting = self._waiting, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    async def _wait_for_news(self, at_most_s: float) -> bool:
        """Wait until something comes, or the end; False: nothing did in that time.

        With an event and a cancel scope, which are made for more than that, a replay that waits
        for answers took a fourth more CPU.
        """
        self._is_silent = False
        self._waiting = trio.lowlevel.current_task()
        timer = self._deadlines.after(at_most_s, self)
        try:
            await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
        finally:
            timer.cancel()
        return not self._is_silent

    def _stop_waiting(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._waiting = None
        return trio.lowlevel.Abort.SUCCEEDED

    def on_deadline(self) -> None:
        """Nothing has come."""
        self._is_silent = True
        self._tell()

    def on_crash(self, error: Exception) -> None:
        """Let it be seen."""
        raise error

    async def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            PlayFailedError: the target does not take it, or not in time.
        """
        view = memoryview(data)
        while view:
            try:
                # Not through Trio, which lets others run before it returns: what is sent is
                # recorded before its answer.
                count = self._sock.send(view)
            except BlockingIOError:
                await self._wait_writable()
                continue
            except OSError as problem:
                raise PlayFailedError(self._why_lost(problem)) from None
            if self._copy is not None:
                self._copy.sent(bytes(view[:count]))
            self.sent_bytes += count
            view = view[count:]

    async def _wait_writable(self) -> None:
        with trio.move_on_after(self._stall_timeout_s):
            await trio.lowlevel.wait_writable(self._sock)
            return
        raise PlayFailedError("stalled")

    def _why_lost(self, problem: OSError) -> str:
        if self.end == "end":
            return "closed_early"
        if problem.errno in (errno.EPIPE, errno.ECONNRESET):
            return "reset"
        return f"send_{errno.errorcode.get(problem.errno or 0, 'error').lower()}"

    async def wait_for_answers(self, count: int, silence_s: float) -> bool:
        """Wait until so many bytes have come, or no more can, or nothing comes for so long."""
        while self.received_bytes < count and not self.end:
            if not await self._wait_for_news(silence_s):
                return False
        return True

    async def wait_for_end(self, timeout_s: float) -> bool:
        """Wait until the answers have ended; whether they have."""
        until_s = trio.current_time() + timeout_s
        while not self.end:
            if not await self._wait_for_news(max(0.0, until_s - trio.current_time())):
                break
        return bool(self.end)

    def finish(self) -> None:
        """End the request stream; answers may still come."""
        if self.has_finished:
            return
        self.has_finished = True
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:  # ENOTCONN: the target has reset it
            return
        if self._copy is not None:
            self._copy.ended("request", is_reset=False)

    async def reset(self) -> None:
        """Have the coming close reset it; before, wait until the target has what was sent."""
        left, since_s = -1, trio.current_time()
        while self.end != "reset":
            now_left = undelivered_bytes(self._sock)
            if now_left != left:
                left, since_s = now_left, trio.current_time()
            if not left or trio.current_time() - since_s > self._stall_timeout_s:
                break
            await trio.sleep(_LOOK_AGAIN_S)
        self.break_off()

    def break_off(self) -> None:
        """Have the coming close reset it, whatever is still to be sent."""
        if self._sock.family != socket.AF_UNIX:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        if self._copy is not None and not self.has_finished:
            self._copy.ended("request", is_reset=True)
        self.has_finished = True

    def close(self) -> None:
        """Close it."""
        if not self.end:
            self._readable.forget(self._sock.fileno())
        self._sock.close()
