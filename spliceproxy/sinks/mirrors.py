"""All mirrors of a worker: what they share, and which of them a connection is copied to."""

import errno
import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from spliceproxy.formats.timestamps import Seconds
from spliceproxy.ipc.mirror_orders import is_on, sample_of
from spliceproxy.kernel.addresses import split_port
from spliceproxy.kernel.pipes import PipePool
from spliceproxy.loop.line_sums import LineSums
from spliceproxy.loop.reactor import Reactor
from spliceproxy.policy.sampling import sampled
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.budget import Budget, MirrorShare
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.kinds import sink_of
from spliceproxy.sinks.mirror_filter import MirrorFilter, make_filter
from spliceproxy.sinks.mirror_state import MirrorState
from spliceproxy.sinks.record_remedies import remedy_of_record
from spliceproxy.sinks.sink import MirrorPeer, Sink
from spliceproxy.sinks.spool import MOST_SPOOL_FILES
from spliceproxy.sinks.stream_limit import StreamLimit
from spliceproxy.tap.tap_pipes import TapPipes

_basic_utc = Seconds(lambda second: time.strftime("%Y%m%dT%H%M%S", time.gmtime(second)))

TAP_PIPES = 32
"""Full-size pipes on their way to mirrors; beyond them copies wait in memory instead."""


@dataclass(slots=True, eq=False)
class Mirror:
    """One mirror of one route."""

    settings: MirrorSettings
    disk: Disk
    sink: Sink
    limit: StreamLimit
    share: MirrorShare
    state: MirrorState
    sample_key: bytes = field(repr=False)
    filter: MirrorFilter | None
    """None: it is for all connections."""
    weight: int = 1
    """What one stream takes of the limit."""
    order: memoryview | None = None
    """What an operator wants of it; None: it can't be changed."""
    count_failed_record: Callable[[], None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a thread of it, or the sink, has something to do."""
        return self.disk.jobs > 0 or self.sink.is_busy


@lru_cache(maxsize=64)
def _name_listener(listener: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", listener).strip("_")[-60:]


def count_streams(settings: MirrorSettings) -> int:
    """How many streams of a connection a mirror gets."""
    return 2 if settings.direction == "both" else 1


def count_descriptors(mirrors: Iterable[MirrorSettings]) -> int:
    """How many descriptors the mirrors of one connection need."""
    return sum(
        (sink_of(mirror).descriptors + MOST_SPOOL_FILES * (mirror.overflow == "spill"))
        * count_streams(mirror)
        for mirror in mirrors
    )


def choose(mirrors: Iterable[Mirror], client: str, server_name: str | None) -> list[Mirror]:
    """Those mirrors that a connection of this client, which asks for that name, is copied to."""
    host, _ = split_port(client)  # a client is in or out with all its ports
    return [mirror for mirror in mirrors if _wants(mirror, host, server_name)]


def _wants(mirror: Mirror, host: str, server_name: str | None) -> bool:
    sample = mirror.settings.sample
    if mirror.order is not None:
        if not is_on(mirror.order):
            return False
        sample = sample_of(mirror.order, sample)
    if mirror.filter is not None and not mirror.filter.admits(host, server_name):
        return False
    return sampled(host.encode(), sample, mirror.sample_key)


class Mirrors:
    """Taps connections; owns the pipes, the memory budget and the threads of all mirrors."""

    def __init__(self, reactor: Reactor, budget_bytes: int, sample_key: bytes) -> None:
        self.reactor = reactor
        self._sample_key = sample_key
        self.mirrors: list[Mirror] = []
        """Of all routes."""
        self.budget = Budget(budget_bytes)
        self.pipes = TapPipes(PipePool(full_size_pipes=TAP_PIPES, max_pipes=TAP_PIPES))
        self.streams = StreamLimit()
        """Of mirrors that routes are configured with."""
        self.pipe_bytes = self.pipes.capacity_bytes
        """Largest pipe that a flow may use, so that a tee is always complete."""
        self._serial = 0
        self._sums = LineSums(reactor.timers)

    def open(
        self,
        mirrors: Iterable[tuple[MirrorSettings, MirrorPeer | None, memoryview]],
        max_connections: int,
    ) -> list[Mirror]:
        """Open the mirrors of one route, which has so many connections at most."""
        opened = []
        for settings, peer, order in mirrors:
            mirror = self._open(settings, peer, self.streams)
            mirror.order = order
            self.streams.most += max_connections * count_streams(settings)
            opened.append(mirror)
        sinks = [mirror.sink for mirror in opened]
        for sink in sinks:
            sink.meet(sinks, self.budget)
        return opened

    def attach(
        self, settings: MirrorSettings, peer: MirrorPeer | None, descriptors: StreamLimit
    ) -> Mirror:
        """Open a mirror whose streams have so many descriptors together with others."""
        mirror = self._open(settings, peer, descriptors)
        mirror.weight = count_descriptors([settings]) // count_streams(settings)
        return mirror

    def _open(
        self, settings: MirrorSettings, peer: MirrorPeer | None, limit: StreamLimit
    ) -> Mirror:
        disk = Disk(self.reactor)
        try:
            sink = sink_of(settings)(settings, self.reactor, disk, peer)
        except OSError:
            disk.retire()
            raise
        try_out = sink.try_out if sink.can_be_tried else None
        state = MirrorState(self.reactor, settings.text, vital=settings.is_vital, try_out=try_out)
        share = self.budget.open_share()
        wanted = make_filter(settings)
        mirror = Mirror(settings, disk, sink, limit, share, state, self._sample_key, wanted)
        self.mirrors.append(mirror)
        return mirror

    def detach(self, mirror: Mirror) -> None:
        """Close a mirror that has no stream, and no record on its way."""
        self.mirrors.remove(mirror)
        self.budget.close_share(mirror.share)
        mirror.state.close()
        mirror.sink.close()
        mirror.disk.retire()
        mirror.sink.release()

    def name_connection(self, listener: str) -> str:
        """Make a name that sorts by time, and no other connection on this machine has."""
        self._serial += 1
        second, us = divmod(time.time_ns() // 1000, 1_000_000)
        stamp = f"{_basic_utc(second)}.{us:06d}Z"
        return f"{stamp}-{_name_listener(listener)}-{os.getpid()}-{self._serial:06d}"

    def record_failed(self, mirror: Mirror, route: str, name: str, error: OSError) -> None:
        """Tell that a connection's record could not be written."""
        if mirror.count_failed_record is not None:
            mirror.count_failed_record()
        labels = {
            "route": route,
            "mirror": mirror.settings.text,
            "directory": str(mirror.sink.directory(mirror.settings) or ""),
            "reason": errno.errorcode.get(error.errno or 0, "unknown"),
            "remedy": remedy_of_record(error),
        }
        self._sums.warn("record_not_written", labels, last_connection=name, error=str(error))

    def close(self) -> None:
        """Wait for the threads and sinks, within bounds, and close what is left.

        All disks stay open until all else has ended: the end of one mirror's command may be what
        the record in another one's directory waits for.
        """
        for mirror in self.mirrors:
            mirror.state.close()
            mirror.disk.finish()
        for mirror in self.mirrors:
            mirror.sink.close()
        for mirror in self.mirrors:
            mirror.disk.close()
            mirror.sink.release()
        self._sums.flush()
        self.pipes.close()
