"""One connection's branches, in both directions, to all its mirrors."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, Protocol

from spliceproxy.formats.timestamps import timestamp
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.budget import ClientShare
from spliceproxy.sinks.connection_facts import ConnectionFacts
from spliceproxy.sinks.mirrors import Mirror, Mirrors
from spliceproxy.sinks.opening import Opening
from spliceproxy.sinks.outlet import NoOutlet
from spliceproxy.sinks.spool import Spool
from spliceproxy.tap.fan_out import Tap

FROM_THE_BEGINNING: Mapping[str, int] = {"request": 0, "response": 0}
"""Both streams, each from its first byte on."""


class TapOwner(Protocol):
    """Whose traffic is mirrored."""

    def facts(self) -> ConnectionFacts:
        """What mirrors may be told of the connection."""

    def mirror_has_room(self) -> None:
        """A mirror that held a source back does so no more."""

    def mirror_failed(self, mirror: Mirror, why: str) -> None:
        """A mirror that traffic must not do without has failed."""

    def mirrors_ended(self, tapped: "TappedConnection") -> None:
        """All branches are over, and accounted for."""


class TappedConnection:
    """Makes the branches; knows when all are over, and what became of the bytes."""

    branch_class: ClassVar[type[Branch]] = Branch

    def __init__(
        self,
        mirrors: Mirrors,
        owner: TapOwner,
        chosen: Sequence[Mirror],
        listener: str,
        client: bytes,
        directions: Mapping[str, int] = FROM_THE_BEGINNING,
    ) -> None:
        """`client`: whose share of the memory its copies take.

        `directions`: where in each stream that is copied the copies begin.
        """
        self._mirrors = mirrors
        self._owner = owner
        self._client = client
        self._name = mirrors.name_connection(listener)
        self.branches: list[tuple[Mirror, Branch]] = []
        """All of both directions, each with its mirror."""
        self._open = 0
        self._opening = Opening(mirrors.reactor)
        self._records = 0
        self._record: dict[str, object] | None = None
        self._started = timestamp()
        for direction, begins_at in directions.items():
            for mirror in chosen:
                if mirror.settings.direction in (direction, "both"):
                    self._make_branch(mirror, direction, begins_at)
        self._opening.expect([branch for _, branch in self.branches if branch.vital])

    def tap(self, direction: str) -> Tap | None:
        """Return a tap for one direction's flow, if a mirror wants copies of it."""
        branches = [branch for _, branch in self.branches if branch.direction == direction]
        return Tap(list(branches), self._mirrors.pipes) if branches else None

    def _make_branch(self, mirror: Mirror, direction: str, begins_at: int) -> None:
        shared = self._mirrors
        share = mirror.share.join(self._client)
        branch = self.branch_class(
            mirror.settings,
            direction,
            shared.reactor,
            share,
            partial(self._branch_opened, mirror),
            self._owner.mirror_has_room,
            partial(self._branch_failed, mirror),
            partial(self._branch_closed, mirror, share),
        )
        branch.facts = self._owner.facts
        branch.begins_at = begins_at
        self.branches.append((mirror, branch))
        self._open += 1
        mirror.limit.taken += mirror.weight
        if mirror.limit.is_exceeded:
            branch.outlet = NoOutlet(branch)
            return
        if mirror.settings.overflow == "spill":
            branch.spool = Spool(branch, mirror.disk, share)
        branch.outlet = mirror.sink.make_outlet(branch, self._name)

    def start(self) -> None:
        """Send the branches on their way; each may fail at once."""
        for _, branch in self.branches:
            branch.outlet.start()
        self._opening.started()

    def end(self, record: dict[str, object]) -> None:
        """The connection is over: end what has not ended with its streams."""
        self._record = {"started": self._started, "ended": timestamp(), **record}
        for _, branch in self.branches:
            branch.end(clean=False)
        self._note_if_over()

    def cut(self) -> None:
        """Drop what is still on its way."""
        for _, branch in self.branches:
            branch.fail("stopped")

    def stop(self, mirror: Mirror, why: str) -> list[Branch]:
        """Have the branches of a mirror end with what they have; which ended by that."""
        stopped = [branch for of, branch in self.branches if of is mirror and branch.open]
        for branch in stopped:
            branch.stop(why)
        return stopped

    def report(self) -> list[dict[str, object]]:
        """What became of the bytes, a line for each branch."""
        return [_describe(branch) for _, branch in self.branches]

    def _branch_opened(self, mirror: Mirror) -> None:
        mirror.state.stream_opened()
        self._opening.one_is_open()

    def _branch_failed(self, mirror: Mirror, why: str) -> None:
        mirror.state.stream_failed(why)
        self._owner.mirror_failed(mirror, why)

    def _branch_closed(self, mirror: Mirror, share: ClientShare, branch: Branch) -> None:
        mirror.state.stream_ended(branch.reason, branch.dropped_bytes)
        mirror.limit.taken -= mirror.weight
        mirror.share.leave(share)
        self._open -= 1
        self._note_if_over()

    def _note_if_over(self) -> None:
        if self._record is None or self._open:
            return
        record, self._record = self._record, None
        # In their order, and once each: a mirror has a branch for each direction.
        recording = dict.fromkeys(of for of, _ in self.branches if of.sink.keeps_records)
        self._records = len(recording)
        for mirror in recording:
            self._write_record(mirror, record)
        if not recording:
            self._owner.mirrors_ended(self)

    def _write_record(self, mirror: Mirror, record: dict[str, object]) -> None:
        gaps = {
            branch.direction: [[gap.offset, gap.length] for gap in branch.gaps]
            for of, branch in self.branches
            if of is mirror
        }
        line = {**record, "gaps": gaps, "mirrors": self.report()}
        route = str(record.get("route", ""))
        mirror.sink.write_record(self._name, line, partial(self._recorded, mirror, route))

    def _recorded(self, mirror: Mirror, route: str, error: OSError | None) -> None:
        if error is not None:
            self._mirrors.record_failed(mirror, route, self._name, error)
        self._records -= 1
        if not self._records:
            self._owner.mirrors_ended(self)


def _describe(branch: Branch) -> dict[str, object]:
    told: dict[str, object] = {
        "to": branch.settings.text,
        "direction": branch.direction,
        "offered_bytes": branch.offered_bytes,
        "delivered_bytes": branch.delivered_bytes,
        "dropped_bytes": branch.dropped_bytes,
        "queued_bytes": branch.held_bytes,
        "state": branch.state,
        "reason": branch.reason,
    }
    answers = branch.outlet.answers
    return told if answers is None else told | {"answers": answers.report()}
