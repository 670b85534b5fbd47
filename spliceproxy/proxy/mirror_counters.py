"""What a worker counts of one mirror, and how it finds the mirror to be."""

from spliceproxy.ipc.rows import MirrorCell, MirrorCondition
from spliceproxy.observe.tally import MirrorTally, Tally
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.mirror_watch import MirrorWatch
from spliceproxy.sinks.mirrors import Mirror


class MirrorCounters:
    """Counts streams as they come and go, and looks at those that are open once a second."""

    def __init__(self, tally: Tally, route: str, name: str, mirror: Mirror) -> None:
        answers = mirror.sink.records_answers
        self._tally = MirrorTally(tally, route, name, counts_answers=answers)
        self._state = mirror.state
        self._watch = MirrorWatch(mirror.state, route, name)
        mirror.count_failed_record = self._count_failed_record
        self._open: dict[Branch, int] = {}  # how many streams had been lost at the beginning

    @property
    def lost_bytes(self) -> int:
        """Bytes that the mirror did not get."""
        return self._tally.lost.total()

    def opened(self, branch: Branch) -> None:
        """Count a stream."""
        self._open[branch] = self._state.lost_streams
        self._tally.opened(branch)

    def ended(self, branch: Branch) -> None:
        """Count a stream that is over."""
        del self._open[branch]
        self._tally.ended(branch)

    def _count_failed_record(self) -> None:
        self._tally.cells[MirrorCell.RECORDS_FAILED] += 1

    def look(self) -> None:
        """Count what has become of the open streams, and say how the mirror is."""
        self._tally.look()
        watch = self._watch
        watch.look(self._open, self._tally.lost)
        self._tally.tell(watch.condition, watch.since_s, watch.reason)

    def attach(self) -> None:
        """Say that it gets new streams though no route is configured with it."""
        self._tally.cells[MirrorCell.ATTACHED] = 1

    def detach(self) -> None:
        """Look for the last time."""
        self.look()
        self._tally.tell(MirrorCondition.OK, 0.0, "")
        self._tally.cells[MirrorCell.ATTACHED] = 0

    def leave_out(self) -> None:
        """Count a connection that is not copied, as there is no room for its streams."""
        self._tally.cells[MirrorCell.LEFT_OUT] += 1
