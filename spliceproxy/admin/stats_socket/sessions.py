"""`show sess`: the open connections, a line each."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from spliceproxy.admin.stats_socket.session_ids import session_id

_UNITS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


def write_sessions(answer: Mapping[str, Any], limit: int) -> str:
    """Return the lines. Comments tell what is missing: HAProxy's lines begin with an address."""
    return "".join(f"{line}\n" for line in _lines(answer, limit))


def _lines(answer: Mapping[str, Any], limit: int) -> Iterator[str]:
    for one in answer["found"]:
        yield _line(one)
    if len(answer["found"]) >= limit:
        yield f"# there may be more than these {limit}"
    for silence in answer["silent"]:
        yield f"# incomplete: {silence}"


def _line(one: Mapping[str, Any]) -> str:
    backend = one["backend"]
    return (
        f"{session_id(one['number'])}: proto={_protocol(one['client'])} src={one['client']} "
        f"fe={one['route']} be={one['route'] if backend else '<NONE>'} "
        f"srv={backend or '<none>'} age={_time(one['age_s'])} idle={_time(one['idle_s'])} "
        f"rq[total={one['request_bytes']}] rp[total={one['response_bytes']}]"
    )


def _protocol(client: str) -> str:
    if ":" not in client:
        return "unix_stream"
    return "tcpv6" if client.startswith("[") else "tcpv4"


def _time(seconds: float) -> str:
    """Return a time in its two largest units, as HAProxy does: 5s, 3m10s, 2h5m."""
    rest = int(seconds)
    for (unit, length), (smaller, smaller_length) in pairwise(_UNITS):
        if rest >= length:
            part = rest % length // smaller_length
            return f"{rest // length}{unit}" + (f"{part}{smaller}" if part else "")
    return f"{rest}s"
