"""Stand-ins for what workers share, of a worker that is alone."""

from dataclasses import dataclass, field

from spliceproxy.loop.reactor import Reactor
from spliceproxy.pacing.shared_bandwidth import SharedBandwidth


@dataclass
class OwnMeter:
    """A token bucket that nobody else uses."""

    until_s: float = 0.0

    def full_s(self) -> float:
        return self.until_s

    def take(self, seconds: float, now_s: float) -> None:
        self.until_s = max(self.until_s, now_s) + seconds


@dataclass
class OwnCount:
    """Nobody else has any."""

    own: int = 0

    def total(self) -> int:
        return self.own


@dataclass
class OwnClients:
    """The buckets and the connections of all clients."""

    buckets: dict[bytes, float] = field(default_factory=dict)
    open: dict[bytes, int] = field(default_factory=dict)

    def full_s(self, client: bytes) -> float:
        return self.buckets.get(client, 0.0)

    def note(self, client: bytes, full_s: float) -> None:
        self.buckets[client] = full_s

    def total(self, client: bytes) -> int:
        return self.open.get(client, 0)

    def opened(self, client: bytes) -> None:
        self.open[client] = self.total(client) + 1

    def closed(self, client: bytes) -> None:
        self.open[client] -= 1


def own_bandwidth(reactor: Reactor, bytes_per_s: int) -> SharedBandwidth:
    """A bandwidth that connections of one worker share."""
    return SharedBandwidth(reactor, bytes_per_s, OwnMeter(), OwnCount())
