"""`show info`: the process, in lines of HAProxy's names."""

from collections.abc import Iterator

from spliceproxy.observe.status import Status


def write_info(status: Status, *, now: float, node: str) -> str:
    """Return the lines; `now` is in seconds since 1970, `node` the name of this machine."""
    return "".join(f"{name}: {value}\n" for name, value in _info(status, now, node))


def _info(status: Status, now: float, node: str) -> Iterator[tuple[str, object]]:
    up_s = max(0, int(now - status.started))
    sent_bytes = sum(route.request_bytes + route.response_bytes for route in status.routes)
    yield "Name", "spliceproxy"
    yield "Version", status.version
    yield "Release_date", "-"
    yield "Nbthread", 1
    yield "Nbproc", len(status.workers)
    yield "Process_num", 1
    yield "Pid", status.pid
    yield "Uptime", _uptime(up_s)
    yield "Uptime_sec", up_s
    yield "Maxconn", sum(route.limit for route in status.routes)
    yield "CurrConns", status.active
    yield "CumConns", sum(route.accepted for route in status.routes)
    yield "Maxpipes", 0
    yield "PipesUsed", sum(worker.pipes_in_use for worker in status.workers)
    yield "PipesFree", sum(worker.pipes_idle for worker in status.workers)
    yield "Tasks", status.active + sum(route.mirroring for route in status.routes)
    yield "Run_queue", 0
    yield "node", node
    yield "Stopping", int(status.draining)
    yield "Listeners", sum(len(route.listeners) for route in status.routes)
    yield "TotalBytesOut", sent_bytes
    yield "TotalSplicedBytesOut", sum(route.spliced_bytes for route in status.routes)
    yield "Start_time_sec", int(status.started)


def _uptime(seconds: int) -> str:
    minutes, rest_s = divmod(seconds, 60)
    hours, rest_minutes = divmod(minutes, 60)
    days, rest_hours = divmod(hours, 24)
    return f"{days}d {rest_hours}h{rest_minutes:02d}m{rest_s:02d}s"
