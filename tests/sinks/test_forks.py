"""Where commands are started, no socket counts on its close to leave the epoll set."""

import socket

import pytest

from spliceproxy.ipc.shared_table import private_row
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.sinks.mirrors import Mirrors
from tests.loop.watching import Watcher
from tests.proxy.bookkeeping import epoll_interest


@pytest.mark.parametrize(("text", "forks"), [("exec:cat", True), ("null:", False)])
def test_what_forks_is_known_before_it_does(text: str, *, forks: bool) -> None:
    reactor = Reactor()
    mirrors = Mirrors(reactor, 1 << 20, b"k" * 32)
    mirrors.open([(parse_mirror(text), None, private_row("order").cells)], 1)
    near, far = socket.socketpair()
    with near, far:
        reactor.register(near.fileno(), 0, Watcher())
        reactor.retire(near.fileno())
        assert (near.fileno() not in epoll_interest(reactor)) == forks
    mirrors.close()
    reactor.close()
