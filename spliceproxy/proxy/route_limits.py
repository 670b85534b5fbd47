"""The limits of a route that hold for all workers of all generations together."""

from dataclasses import dataclass
from functools import partial

from spliceproxy.ipc.rows import CommonKind
from spliceproxy.ipc.shared_clients import ClientBuckets, ClientConnections
from spliceproxy.ipc.shared_count import SharedCount
from spliceproxy.ipc.shared_meter import SharedMeter
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.reactor import Reactor
from spliceproxy.observe.tally import Tally
from spliceproxy.pacing.paced_endpoint import PacedEndpoint
from spliceproxy.pacing.shared_bandwidth import SharedBandwidth
from spliceproxy.policy.admission import Admission
from spliceproxy.policy.client_networks import ClientNetworks
from spliceproxy.policy.networks import AccessList
from spliceproxy.policy.rate import ClientRateLimits, RateLimit
from spliceproxy.pump.endpoint import Endpoint, EndpointMaker
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.tls.endpoint import TlsEndpoint
from spliceproxy.tls.tls_socket import TlsSocket

_LOOK_AGAIN_S = 0.03
"""So long it may take until a worker sees that a place has become free in another one."""


class Places:
    """The places of a route's clients: as many as its `max_connections`.

    One is kept before a client is accepted. Of several workers that keep the last one at the same
    moment none has it: all see that there are too many, stand back, and try again.
    """

    def __init__(self, taken: SharedCount, limit: int) -> None:
        self._taken = taken
        self._limit = limit
        self._keeps_one = False

    @property
    def left(self) -> int:
        """How many are free."""
        return self._limit - self._taken.total()

    def keep(self) -> bool:
        """Keep one for the client that is accepted next, if there is one."""
        self._taken.own += 1
        self._keeps_one = self.left >= 0
        if not self._keeps_one:
            self._taken.own -= 1
        return self._keeps_one

    def release(self) -> None:
        """Give back one that is still kept: no client has come, or it was turned away."""
        if self._keeps_one:
            self._keeps_one = False
            self._taken.own -= 1

    def take(self) -> None:
        """A client takes the one that is kept; in a drain none is, and it takes another."""
        if self._keeps_one:
            self._keeps_one = False
        else:
            self._taken.own += 1

    def leave(self) -> None:
        """A client gives its own back."""
        self._taken.own -= 1


class AcceptLimits:
    """When the next client may be let in, as its place and the route's rate have it."""

    def __init__(self, reactor: Reactor, places: Places | None, rate: RateLimit | None) -> None:
        self._reactor = reactor
        self.places = places
        self.rate = rate

    def wait_s(self) -> float:
        """Return how long to leave clients in the backlog; 0: one may come in, and has a place."""
        wait_s = 0.0 if self.rate is None else self.rate.wait_s(self._reactor.now_s)
        if wait_s or self.places is None or self.places.keep():
            return wait_s
        return _LOOK_AGAIN_S

    def settle(self) -> None:
        """Take note that whoever was to come has come, or has not."""
        if self.places is not None:
            self.places.release()


def accept_limits(reactor: Reactor, settings: RouteSettings, tally: Tally) -> AcceptLimits | None:
    """Return what limits how a route accepts; None where nothing does."""
    places = rate = None
    if settings.max_connections is not None:
        labels = ("places", settings.name)
        taken = SharedCount(tally.table, tally.slot, CommonKind.COUNT, labels)
        places = Places(taken, settings.max_connections)
    if settings.rate is not None:
        limited = settings.rate.rate
        meter = SharedMeter(tally.table, tally.slot, "rate", settings.name, str(limited))
        rate = RateLimit(limited, meter)
    return AcceptLimits(reactor, places, rate) if places or rate else None


def admission(settings: RouteSettings, tally: Tally) -> Admission:
    """Return who decides about a route's clients by their address."""
    client = settings.per_client
    connections = rates = None
    if client.max_connections is not None:
        connections = ClientConnections(tally.table, tally.slot, settings.name)
    if client.rate is not None:
        rate = client.rate.rate
        buckets = ClientBuckets(tally.table, tally.slot, settings.name, str(rate))
        rates = ClientRateLimits(rate, buckets)
    return Admission(
        AccessList(settings.allow, settings.deny),
        client.max_connections or 0,
        connections,
        rates,
        networks=ClientNetworks(client.ipv4_prefix, client.ipv6_prefix),
        admits_unknown=settings.unknown_clients == "admit",
    )


class PacedTlsEndpoint(TlsEndpoint, PacedEndpoint):
    """Reads what was decrypted, no faster than it may."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class EndpointMakers:
    """How one direction of a route's connections is read, by what its socket is."""

    plain: EndpointMaker
    tls: EndpointMaker

    def of(self, sock: Socket) -> EndpointMaker:
        """Return what makes the endpoint of a socket."""
        return self.tls if isinstance(sock, TlsSocket) else self.plain


def endpoint_makers(
    reactor: Reactor, settings: RouteSettings, tally: Tally, direction: str
) -> EndpointMakers:
    """How one direction of a route's connections is read: as fast as it may be.

    What is shared is shared by all endpoints that this makes, here and in other workers.
    """
    bandwidth, shared = settings.bandwidth, None
    if bandwidth.connection_bytes_s is None and bandwidth.route_bytes_s is None:
        return EndpointMakers(Endpoint, TlsEndpoint)
    if bandwidth.route_bytes_s is not None:
        labels = ("bandwidth", settings.name, direction)
        meter = SharedMeter(tally.table, tally.slot, *labels)
        waiting = SharedCount(tally.table, tally.slot, CommonKind.COUNT, labels)
        shared = SharedBandwidth(reactor, bandwidth.route_bytes_s, meter, waiting)
    limits = (bandwidth.connection_bytes_s, shared)
    return EndpointMakers(partial(PacedEndpoint, *limits), partial(PacedTlsEndpoint, *limits))
