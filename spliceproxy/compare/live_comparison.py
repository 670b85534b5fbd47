"""Answers of mirrors compared with those that clients had, as they come into a capture."""

from collections import OrderedDict
from fnmatch import fnmatchcase

from spliceproxy.capture import Closed, Connection, ConnectionId, Data, Event, Opened
from spliceproxy.capture.mirrored_requests import MirroredRequests
from spliceproxy.compare.alignment import NEW
from spliceproxy.compare.comparison import CompareOptions, CompareResult
from spliceproxy.compare.fingerprint_tally import FingerprintTally
from spliceproxy.compare.gathered_capture import CapturedPiece
from spliceproxy.compare.latencies import Latencies
from spliceproxy.compare.mirrored_answers import MirroredAnswers
from spliceproxy.compare.mirrored_connection import MirroredConnection, notes_gap
from spliceproxy.compare.pair_tally import PairTally, PlaceOfAnswers
from spliceproxy.compare.report_file import ReportFile
from spliceproxy.framing.wire_protocol import WireProtocol

_MOST_COMPLAINTS = 100

MOST_HELD_BYTES = 128 << 20
"""Of answers that wait for those of the other side, roughly, of all connections."""
MOST_CONNECTIONS = 50_000
"""That are looked at together; beyond, those go that were not heard of for the longest time. Most
of these have been lost with their worker."""


class LiveComparison:
    """Takes the events of a capture in the order of its log, each once."""

    def __init__(
        self,
        options: CompareOptions,
        report: ReportFile,
        *,
        most_held_bytes: int = MOST_HELD_BYTES,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._options = options
        self._tally = FingerprintTally(report, options.samples)
        self._pairs = PairTally(self._tally, options.ignored)
        self._most_held_bytes = most_held_bytes
        self._most_connections = most_connections
        self._held_bytes = 0
        self._requests = MirroredRequests()
        self._own: OrderedDict[ConnectionId, MirroredConnection] = OrderedDict()
        self._mirrored: dict[ConnectionId, MirroredConnection] = {}  # by the mirror's connection
        has_old = options.old_mirror is not None
        names = ("recorded", "new", "old") if has_old else ("recorded", "new")
        self._latencies = {name: Latencies() for name in names}
        self._result = CompareResult(latencies=self._latencies, is_live=True)

    def take(self, event: Event) -> None:
        """Take what comes next."""
        for told in self._requests.take(event):
            self._take(told)

    def complain(self, line: str) -> None:
        """A part of the capture could not be read."""
        if len(self._result.complaints) < _MOST_COMPLAINTS:
            self._result.complaints.append(line)

    def result(self) -> CompareResult:
        """Return what has been found so far."""
        result = self._result
        result.under_way = sum(bool(own.mirrors) and own.is_compared for own in self._own.values())
        has_old = self._options.old_mirror is not None
        result.conclude(self._tally, self._options.limits if has_old else None)
        return result

    def _take(self, event: Event) -> None:
        if isinstance(event, Opened):
            self._open(event)
        if (own := self._own.get(event.connection)) is not None:
            self._own.move_to_end(event.connection)
            self._take_own(own, event)
        elif (own := self._mirrored.get(event.connection)) is not None:
            held_bytes = own.held_bytes
            self._take_mirrored(own, own.mirrors[event.connection], event)
            self._hold(own, held_bytes)

    def _open(self, event: Opened) -> None:
        if event.connection in self._own or event.connection in self._mirrored:
            return
        facts = Connection(event.connection, began_ns=event.time_ns)
        if not event.facts.get("mirror"):
            self._open_own(facts, event)
        elif self._is_wanted(str(event.facts["mirror"])):
            facts.note(event)
            self._open_mirrored(facts, event)

    def _open_own(self, facts: Connection, event: Opened) -> None:
        options = self._options
        recorded = self._latencies["recorded"]
        own = MirroredConnection(facts, options.protocol, recorded, self._sort, self._decided)
        if event.is_continued:
            own.is_left_out = True
            self._result.begun_before += 1
        self._own[event.connection] = own
        if len(self._own) > self._most_connections:
            self._forget(next(iter(self._own)))

    def _open_mirrored(self, facts: Connection, event: Opened) -> None:
        try:
            own = self._own.get(ConnectionId.parse(str(event.facts.get("mirror_of"))))
        except ValueError:
            own = None
        if own is None:
            self._result.strangers += 1
        elif not (own.is_left_out or event.is_continued):
            is_noise = _fits(facts.mirror, self._options.old_mirror)
            where = PlaceOfAnswers(str(own.facts.id), own.facts.began_ns, is_noise)
            self._result.connections += not own.mirrors
            own.add_mirror(MirroredAnswers(facts, self._pairs, where))
            self._mirrored[event.connection] = own

    def _is_wanted(self, mirror: str) -> bool:
        options = self._options
        return (
            options.mirror is None
            or _fits(mirror, options.mirror)
            or _fits(mirror, options.old_mirror)
        )

    def _sort(self, mirror: MirroredAnswers) -> Latencies:
        return self._latencies["old" if mirror.where.is_noise else "new"]

    def _take_own(self, own: MirroredConnection, event: Event) -> None:
        if isinstance(event, Data) and not own.mirrors and not own.is_left_out:
            own.is_left_out = True  # mirrors come before the first byte
            self._result.unmatched += 1
        held_bytes = own.held_bytes
        own.note(event)
        if isinstance(event, Closed):
            own.end()
            self._result.cut_off += sum(mirror.is_cut_off for mirror in own.mirrors.values())
            self._held_bytes -= held_bytes
            self._remove(event.connection)
        else:
            self._hold(own, held_bytes)

    def _decided(self, protocol: WireProtocol) -> None:
        protocols = self._result.protocols
        protocols[protocol.name] = protocols.get(protocol.name, 0) + 1

    def _take_mirrored(
        self, own: MirroredConnection, mirror: MirroredAnswers, event: Event
    ) -> None:
        if notes_gap(mirror.facts, event):
            mirror.cut_off(NEW)
        elif isinstance(event, Data):
            is_response = event.direction == "response"
            mirror.take(CapturedPiece(event.time_ns, is_response, event.data))
        elif isinstance(event, Closed):
            mirror.close(own.facts)

    def _hold(self, own: MirroredConnection, before_bytes: int) -> None:
        """Count what waits more than before; where it is too much, the largest has to go."""
        self._held_bytes += own.held_bytes - before_bytes
        if self._held_bytes > self._most_held_bytes:
            largest = max(self._own.values(), key=lambda each: each.held_bytes)
            self._held_bytes -= largest.held_bytes
            largest.give_up()
            self._result.far_behind += 1

    def _forget(self, connection: ConnectionId) -> None:
        own = self._own[connection]
        self._held_bytes -= own.held_bytes
        self._result.forgotten += own.is_compared and bool(own.mirrors)
        self._remove(connection)

    def _remove(self, connection: ConnectionId) -> None:
        for mirror in self._own.pop(connection).mirrors:
            del self._mirrored[mirror]
            self._requests.forget(mirror)
        self._requests.forget(connection)


def _fits(mirror: str, pattern: str | None) -> bool:
    return pattern is not None and (mirror == pattern or fnmatchcase(mirror, pattern))
