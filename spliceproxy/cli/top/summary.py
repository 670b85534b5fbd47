"""The proxy as a whole, in a few lines."""

import time
from collections.abc import Iterator

from spliceproxy.cli.columns import human_bytes, human_seconds, printable
from spliceproxy.cli.mirror_state import why_ill
from spliceproxy.cli.top.look import MAX_CONNECTIONS_SEEN, Look, Rates


def summarize(seen: Look, rates: Rates) -> Iterator[str]:
    """Tell what stands above the tables."""
    status = seen.status
    workers = len(status["workers"])
    state = ", draining" if status["draining"] else ""
    yield (
        f"spliceproxy {status['version']}, pid {status['pid']}, up "
        f"{human_seconds(max(0.0, time.time() - status['started']))}, generation "
        f"{status['generation']}, {workers} worker{'s' * (workers != 1)}{state}"
    )
    active = sum(route["active"] for route in status["routes"])
    yield (
        f"{active} open, {rates.total('route', 'accepted'):.1f} new/s; "
        f"request {human_bytes(rates.total('route', 'request_bytes'))}/s, "
        f"response {human_bytes(rates.total('route', 'response_bytes'))}/s; "
        f"mirrors {human_bytes(rates.total('mirror', 'delivered_bytes'))}/s, "
        f"losing {human_bytes(rates.total('mirror', 'dropped_bytes'))}/s"
    )
    for route in status["routes"]:
        for mirror in route["mirrors"]:
            if mirror["state"] == "failing":
                where = f"mirror {mirror['name']} of {route['name']}"
                yield printable(f"{where} is failing: {why_ill(mirror)}")
    if status["last_reload"]:
        yield printable(f"the last reload was refused: {status['last_reload']}")
    if len(seen.connections) == MAX_CONNECTIONS_SEEN:
        yield f"of the connections only {MAX_CONNECTIONS_SEEN} are looked at"
    for silence in seen.silent:
        yield printable(f"incomplete: {silence}")
