"""What has to be known of a mirror before any worker is told to attach it."""

from functools import partial

import trio

from spliceproxy.admin.messages import RefusedError
from spliceproxy.errors import Problem
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.checks import check_mirrors
from spliceproxy.upstream.resolved import resolve_mirrors

_TIMEOUT_S = 10.0
_THREADS = trio.CapacityLimiter(2)
"""A disk or a name server that hangs keeps its thread; so there are few of them."""


async def find_targets(mirror: MirrorSettings) -> tuple[SocketAddress, ...]:
    """Check a mirror's place, and look its name up; the addresses, if it is connected to.

    Raises:
        RefusedError: it could never work, or finding out takes too long.
    """
    with trio.move_on_after(_TIMEOUT_S):
        try:
            return await trio.to_thread.run_sync(
                partial(_find_targets, mirror), abandon_on_cancel=True, limiter=_THREADS
            )
        except Problem as problem:
            raise RefusedError(400, str(problem)) from None
    raise RefusedError(504, f"looking at the mirror's place takes more than {_TIMEOUT_S:g} s")


def _find_targets(mirror: MirrorSettings) -> tuple[SocketAddress, ...]:
    check_mirrors([mirror])
    [resolved] = resolve_mirrors((mirror,))
    return () if resolved is None else resolved.sockets
