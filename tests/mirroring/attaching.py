"""Attaching mirrors to a proxy in the test's own process, as its admin process would."""

import time
from typing import Any

from spliceproxy.ipc.attachment import Attachment, parse_attach_request
from spliceproxy.ipc.rows import Kind
from spliceproxy.proxy.session import Session
from spliceproxy.upstream.resolved import resolve_mirrors
from tests.proxy.relay import Relay

ROOM: dict[str, Any] = {"max_connections": 20}
"""Leaves descriptors for attachments."""


def make_attachment(number: int, **given: str) -> Attachment:
    request = parse_attach_request({"route": "default", **given})
    [resolved] = resolve_mirrors((request.mirror,))
    targets = () if resolved is None else resolved.sockets
    route = request.route or ""
    return request.attachment(number, route, targets, "a test", now_s=time.monotonic())


def attach(
    relay: Relay,
    number: int = 1,
    *,
    session: Session | None = None,
    duration: str = "",
    **given: str,
) -> bool:
    """Attach to new connections, or to that one."""
    if duration:
        given["for"] = duration
    relay.worker.reactor.refresh_clock()
    done = relay.worker.attachments.attach(make_attachment(number, **given), session)
    relay.worker.reactor.end_batch()
    return done


def live(relay: Relay) -> Session:
    """The only connection."""
    [session] = relay.worker.sessions
    return session


def told(relay: Relay) -> list[int]:
    """The numbers of what has not ended."""
    return [one["number"] for one in relay.worker.attachments.told()]


def nothing_is_left(relay: Relay) -> bool:
    """Whether all attachments are over, and their threads and descriptors gone."""
    worker = relay.worker
    attached = [one for frontend in worker._frontends for one in frontend.route.attached]
    mirrors = [] if worker.mirrors is None else worker.mirrors.mirrors
    configured = [one for frontend in worker._frontends for one in frontend.route.mirrors]
    gone = [one for one in mirrors if all(one is not kept for kept in configured)]
    return not (attached or gone or worker.attachments._attached)


def counted(relay: Relay, mirror: str, cell: int) -> int:
    """What the shared table says of an attached mirror."""
    cells = relay.worker._tally.cells(Kind.MIRROR, "default", mirror)
    return int(cells[cell])
