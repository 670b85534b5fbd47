"""What the proxy believes of its connections, held against what the kernel knows."""

import os
import select
from collections.abc import Iterator

from spliceproxy.loop.reactor import Reactor
from spliceproxy.pacing.paced_endpoint import PacedEndpoint
from spliceproxy.proxy.worker import Worker
from spliceproxy.pump.endpoint import Endpoint
from spliceproxy.pump.link import Link
from spliceproxy.pump.splice_flow import SpliceFlow
from spliceproxy.tls.endpoint import TlsEndpoint

_ASKED_FOR = select.EPOLLIN | select.EPOLLOUT


def epoll_interest(reactor: Reactor) -> dict[int, int]:
    """Which descriptors the kernel watches for the reactor, and for what."""
    if reactor._epoll.closed:
        return {}
    info = os.open(f"/proc/self/fdinfo/{reactor._epoll.fileno()}", os.O_RDONLY)
    try:
        lines = os.read(info, 1 << 20).decode().splitlines()
    finally:
        os.close(info)
    words = [line.split() for line in lines if line.startswith("tfd:")]
    return {int(word[1]): int(word[3], 16) for word in words}


def live_links(worker: Worker) -> Iterator[Link]:
    for session in worker.sessions:
        if session.link is not None and session.link.open:
            yield session.link


def check_bookkeeping(worker: Worker) -> None:
    """A flow is paused exactly while it holds bytes, and is watched for exactly what it needs."""
    interest = epoll_interest(worker.reactor)
    holding = 0
    for link in live_links(worker):
        for flow in (link.request, link.response):
            assert flow.paused == (flow.pending_bytes > 0)
            assert not (flow.paused and flow.done)
            holding += flow.paused and isinstance(flow, SpliceFlow)
        for endpoint in (link.client, link.backend):
            _check_watched(endpoint, interest)
    assert worker.pipes.statistics().in_use == holding


def _check_watched(endpoint: Endpoint, interest: dict[int, int]) -> None:
    waits = isinstance(endpoint, PacedEndpoint) and endpoint.kept_waiting
    reads = not endpoint.inbound.done and not endpoint.inbound.paused and not waits
    needed = select.EPOLLIN * reads | select.EPOLLOUT * endpoint.outbound.paused
    if isinstance(endpoint, TlsEndpoint) and endpoint.sock.unsent:
        needed |= select.EPOLLOUT
    if endpoint.fd in interest:
        assert interest[endpoint.fd] & _ASKED_FOR == needed
    else:
        assert needed == 0


def listening_descriptors(worker: Worker) -> set[int]:
    return {listener._fd for frontend in worker._frontends for listener in frontend.listeners}
