"""How both sockets of a link end."""

from collections.abc import Callable

from spliceproxy.loop.farewell import ResetAfterDelivery, close_cleanly, close_with_reset
from spliceproxy.loop.reactor import Reactor
from spliceproxy.pump.ending import Ending
from spliceproxy.pump.link import Link


def part(reactor: Reactor, link: Link, gone: Callable[[], None]) -> ResetAfterDelivery | None:
    """Close both sockets of a link that has ended, in the way that tells the peers how.

    Returns what is to be started, if one of them may be closed only later; it calls back then.
    """
    client, backend = link.client.sock, link.backend.sock
    if link.ending is Ending.COMPLETE:
        close_cleanly(reactor, client)
        close_cleanly(reactor, backend)
    elif link.failed is None:
        close_with_reset(reactor, client)
        close_with_reset(reactor, backend)
    else:
        close_with_reset(reactor, link.failed.sock)
        return ResetAfterDelivery(reactor, backend if link.failed is link.client else client, gone)
    return None
