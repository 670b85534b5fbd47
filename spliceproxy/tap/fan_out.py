"""A tap on a flow: copies of what the flow has taken branch off before any of it moves on.

A large bufferful is copied by page reference, tee(2), into a pipe for each receiver. A small one
is read once for all of them: it costs as much as a tee, and it can be merged with the next one,
whereas a message of ten bytes would hold a whole pipe.
"""

from spliceproxy.kernel.pipes import Pipe
from spliceproxy.tap.copy_receiver import CopyReceiver
from spliceproxy.tap.tap_pipes import TapPipes

SMALL_BYTES = 16 << 10
"""Up to here reading a copy is no dearer than handing on a pipe: both cost two system calls."""


class Tap:
    """The receivers of one flow."""

    __slots__ = ("_pipes", "receivers")

    def __init__(self, receivers: list[CopyReceiver], pipes: TapPipes) -> None:
        self.receivers = receivers
        """Another list whenever somebody comes or goes, so that it may be walked meanwhile."""
        self._pipes = pipes

    @property
    def is_empty(self) -> bool:
        """Whether nobody wants copies any more."""
        return not self.receivers

    def add(self, receiver: CopyReceiver) -> None:
        """Copy to one more receiver, from the next fill on."""
        self.receivers = [*self.receivers, receiver]

    def remove(self, receiver: CopyReceiver) -> None:
        """Copy to a receiver no more; also while copies are being handed out."""
        self.receivers = [other for other in self.receivers if other is not receiver]

    @property
    def holds(self) -> bool:
        """Whether a receiver wants the source to wait."""
        for receiver in self.receivers:  # noqa: SIM110 - asked at each event: any() calls thrice
            if receiver.holds:
                return True
        return False

    def copy_pipe(self, source: Pipe, count: int) -> None:
        """Copy what a flow has in its pipe to the receivers that want it."""
        data: bytes | None = None
        for receiver in self.receivers:
            try:
                data = self._copy_to(receiver, source, count, data)
            except Exception as error:  # it is that receiver's, and must not reach the traffic
                receiver.on_crash(error)

    def _copy_to(
        self, receiver: CopyReceiver, source: Pipe, count: int, data: bytes | None
    ) -> bytes | None:
        """Give one receiver its copy; returns what was read for it, for the next one."""
        wanted = receiver.accept(count)
        if not wanted:
            return data
        chunk = self._pipes.duplicate(source, wanted) if wanted > SMALL_BYTES else None
        if chunk is not None and chunk.size:
            missed = wanted - chunk.size
            receiver.take_pipe(chunk)
        else:
            if chunk is not None:
                chunk.discard()
            data = self._pipes.read(source, count) if data is None else data
            missed = wanted - len(data[:wanted])
            receiver.take_bytes(data[:wanted])
        if missed:
            receiver.miss(missed)
        return data

    def end(self, *, clean: bool) -> None:
        """Tell the receivers that no more is coming."""
        for receiver in self.receivers:
            try:
                receiver.end(clean=clean)
            except Exception as error:  # as above
                receiver.on_crash(error)
