"""The copies of one connection that go to a mirror which was attached to it while it ran."""

from collections.abc import Callable, Mapping

from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.mirrors import Mirror, Mirrors
from spliceproxy.sinks.tapped_connection import TapOwner, TappedConnection


class AttachedBranch(Branch):
    """Ends by itself when it has got as much as it was to get.

    It stays at its tap until its outlet has ended, which a file takes some time for.
    """

    _stopped = False

    def stop(self, why: str) -> None:
        """See `Branch.stop`."""
        self._stopped = True
        super().stop(why)

    def accept(self, count: int) -> int:
        """See `Branch.accept`; what was never to be copied is not missing."""
        return 0 if self._stopped else super().accept(count)

    def delivered(self, count: int) -> None:
        """See `Branch.delivered`."""
        super().delivered(count)
        limit = self.settings.max_bytes
        if limit is not None and self.open and self.offered_bytes >= limit and not self.held_bytes:
            # Later: the outlet is at work on the queue.
            self._reactor.at_batch_end(self._end_filled)

    def _end_filled(self) -> None:
        try:
            self.stop("")
        except Exception as error:  # the end of a batch concerns nobody in particular
            self.on_crash(error)


class AttachedConnection(TappedConnection):
    """Is over when its branches are, be it long before the connection is."""

    branch_class = AttachedBranch

    def __init__(
        self,
        mirrors: Mirrors,
        owner: TapOwner,
        mirror: Mirror,
        listener: str,
        client: bytes,
        offsets: Mapping[str, int],
        describe: Callable[[], dict[str, object]],
    ) -> None:
        """`offsets`: where in the stream the copies begin, for each direction that goes on.

        `describe` tells of the connection what its record is to say.
        """
        super().__init__(mirrors, owner, [mirror], listener, client, offsets)
        self.mirror = mirror
        self._offsets = offsets
        self._describe = describe
        self._ended = False

    def end(self, record: dict[str, object]) -> None:
        """Nothing more comes: end what has not ended with its streams; once."""
        if not self._ended:
            self._ended = True
            super().end({**record, "attached_at": dict(self._offsets)})

    def report(self) -> list[dict[str, object]]:
        """What became of the bytes, a line for each branch, and where in the stream they begin."""
        lines = super().report()
        return [{**line, "offset": self._offsets[str(line["direction"])]} for line in lines]

    def _note_if_over(self) -> None:
        if not self._open and not self._ended:
            self.end(self._describe())
        else:
            super()._note_if_over()
