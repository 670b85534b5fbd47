"""What a TLS socket's endpoint watches for, beside what the flows need."""

import select
from types import SimpleNamespace
from typing import Any

from spliceproxy.tls.endpoint import TlsEndpoint

READ = select.EPOLLIN | select.EPOLLRDHUP


class Watched:
    """Stands for the reactor: what the only socket is watched for."""

    def __init__(self) -> None:
        self.events = 0

    def register(self, _fd: int, events: int, _watcher: object) -> None:
        self.events = events

    def modify(self, _fd: int, events: int) -> None:
        self.events = events


def test_room_is_watched_for_no_longer_than_something_waits_for_it() -> None:
    reactor = Watched()
    link: Any = SimpleNamespace(reactor=reactor)
    sock: Any = SimpleNamespace(fileno=lambda: 7, unsent=False, knows_more=False)
    endpoint = TlsEndpoint(link, sock, "client")
    flow: Any = SimpleNamespace(done=False, paused=False, held=False)
    endpoint.inbound = endpoint.outbound = flow
    endpoint.watch(already_registered=False)
    sock.unsent = True
    sock.room_wanted()
    assert reactor.events == READ | select.EPOLLOUT
    sock.unsent = False  # a flow's next bytes have taken it along, and the flow was never paused
    endpoint.on_events(select.EPOLLOUT)
    assert reactor.events == READ
